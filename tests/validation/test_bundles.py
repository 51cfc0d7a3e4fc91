"""Bundles, contained resources and references inside a document; Parameters; each entry under its own profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from judging import BASE, PATIENT, found, profile, rules

from mpftconnect.validation import Options, Validator

BASE_URL = "https://zz.example.test/fhir/"


def entry(resource: dict[str, Any], full_url: str | None = None) -> dict[str, Any]:
    url = full_url or f"{BASE_URL}{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource}


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject}, **more,
    }  # fmt: skip


def bundle(*entries: dict[str, Any], type_: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries)}


WREN = {**PATIENT, "id": "p1"}


def test_an_entry_is_validated_as_what_it_is(core: Validator) -> None:
    report = core.validate(bundle(entry({**WREN, "gender": "femal"})))
    assert found(report) == [("binding-required", "Bundle.entry[0].resource.gender")]


def test_each_entry_is_held_to_its_own_profile(make: Callable[..., Validator]) -> None:
    validator = make(profile("strict", "Patient", {"path": "Patient.telecom", "min": 1}))
    claiming = {**WREN, "meta": {"profile": [BASE + "strict"]}}
    report = validator.validate(bundle(entry(claiming), entry({**WREN, "id": "p2"})))
    assert found(report) == [("cardinality-min", "Bundle.entry[0].resource")]


def test_full_urls(core: Validator) -> None:
    assert rules(core.validate(bundle({"resource": WREN}))) == ["bundle-full-url"]
    assert rules(core.validate(bundle(entry(WREN, "p1")))) == ["bundle-full-url"]
    assert rules(core.validate(bundle(entry(WREN, BASE_URL + "Patient/p2")))) == ["bundle-full-url"]
    assert core.validate(bundle(entry(WREN, "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"))).verdict == "valid"
    posted = {"resource": WREN, "request": {"method": "POST", "url": "Patient"}}
    assert core.validate(bundle(posted, type_="transaction")).verdict == "valid"


def test_references_inside_a_bundle_are_judged_by_what_they_lead_to(core: Validator) -> None:
    device = {"resourceType": "Organization", "id": "g1", "name": "Fennimoor"}
    good = bundle(entry(WREN), entry(observation("Patient/p1")))
    assert core.validate(good).verdict == "valid"
    by_urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    wrong = bundle(entry(device, by_urn), entry(observation(by_urn)))
    assert found(core.validate(wrong)) == [("reference-type", "Bundle.entry[1].resource.subject")]


def test_a_reference_that_leads_nowhere_is_found_where_that_is_asked(core: Validator) -> None:
    lost = bundle(entry(observation("Patient/p9")))
    assert core.validate(lost).verdict == "valid"
    assert rules(core.validate(lost, options=Options(validate_reference=True))) == ["reference-resolve"]
    alone = core.validate(observation("Patient/p9"), options=Options(validate_reference=True))
    assert alone.verdict == "undecided", "outside a Bundle it may be on a server that nobody asked"


def test_target_profiles_of_what_is_contained(make: Callable[..., Validator]) -> None:
    target = {"path": "Observation.subject", "type": [{"code": "Reference", "targetProfile": [BASE + "strict"]}]}
    validator = make(
        profile("strict", "Patient", {"path": "Patient.telecom", "min": 1}), profile("obs", "Observation", target)
    )
    contained = observation("#p1", contained=[WREN])
    assert rules(validator.validate(contained, [BASE + "obs"])) == ["reference-profile"]
    full = {**WREN, "telecom": [{"system": "phone", "value": "01632 960000"}]}
    assert validator.validate(observation("#p1", contained=[full]), [BASE + "obs"]).verdict == "valid"


def test_references_that_run_in_a_ring_end(make: Callable[..., Validator]) -> None:
    link = {"path": "Patient.link.other", "type": [{"code": "Reference", "targetProfile": [BASE + "ring"]}]}
    validator = make(profile("ring", "Patient", link))

    def ring(own: str, other: str) -> dict[str, Any]:
        return {**PATIENT, "id": own, "link": [{"type": "seealso", "other": {"reference": f"Patient/{other}"}}]}

    report = validator.validate(
        bundle(entry(ring("a", "b")), entry(ring("b", "a"))), options=Options(validate_reference="CHECK_VALID")
    )
    assert report.verdict == "valid"


def test_documents_begin_with_a_composition_and_hang_together(core: Validator) -> None:
    composition = {
        "resourceType": "Composition", "id": "c1", "status": "final", "type": {"text": "x"}, "date": "2026-01-02",
        "title": "x", "subject": {"reference": "Patient/p1"}, "author": [{"reference": "Practitioner/d1"}],
        "section": [{"title": "s", "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}}],
    }  # fmt: skip
    doctor = {"resourceType": "Practitioner", "id": "d1"}
    whole = {
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
        "timestamp": "2026-01-02T10:00:00Z",
    }

    def document(*entries: Any) -> dict[str, Any]:
        return {**bundle(*entries, type_="document"), **whole}

    assert core.validate(document(entry(composition), entry(WREN), entry(doctor))).verdict == "valid"
    assert "bundle" in rules(core.validate(document(entry(WREN), entry(composition))))
    assert rules(core.validate(document(entry(composition), entry(WREN)))) == ["bundle-reference"]
    orphan = {"resourceType": "Organization", "id": "x1", "name": "Fennimoor"}
    assert found(core.validate(document(entry(composition), entry(WREN), entry(doctor), entry(orphan)))) == [
        ("bundle-reference", "Bundle.entry[3]")
    ]


def test_contained_resources(core: Validator) -> None:
    def holding(inner: dict[str, Any], reference: str = "#p1") -> list[str]:
        return rules(core.validate(observation(reference, contained=[inner])))

    assert holding(WREN) == []
    assert "dom-3" in holding(WREN, "Patient/p1")
    assert holding({**WREN, "meta": {"versionId": "1"}}) == ["dom-4"]
    assert "dom-2" in holding({**WREN, "contained": [{"resourceType": "Basic", "id": "b"}]})
    assert holding({**WREN, "gender": "femal"}) == ["binding-required"]


def test_parameters_hold_resources_that_are_validated(core: Validator) -> None:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "p", "resource": {**WREN, "gender": "femal"}}]}
    assert found(core.validate(parameters)) == [("binding-required", "Parameters.parameter[0].resource.gender")]
    part = {"resourceType": "Parameters", "parameter": [{"name": "p", "part": [{"name": "q"}]}]}
    assert rules(core.validate(part)) in ([], ["inv-1"])


def test_a_large_bundle_costs_as_many_look_ups_as_it_has_entries(core: Validator) -> None:
    """No timing: the index of a Bundle is made once, and each reference asks it once."""
    from mpftconnect.validation.check import references

    made = []
    original = references._BundleIndex.__init__

    def counted(self: Any, frame: Any) -> None:
        made.append(1)
        original(self, frame)

    references._BundleIndex.__init__ = counted  # type: ignore[method-assign]
    try:
        report = core.validate(
            bundle(*(entry({**observation("Patient/p1"), "id": f"o{i}"}) for i in range(300)), entry(WREN))
        )
    finally:
        references._BundleIndex.__init__ = original  # type: ignore[method-assign]
    assert report.verdict == "valid"
    assert len(made) == 1


def test_a_relative_reference_is_of_the_form_type_and_id(core: Validator) -> None:
    def of(reference: str, type_: str | None) -> list[tuple[str, str]]:
        resource = observation(reference)
        report = core.validate(resource if type_ is None else bundle(_posted(resource, type_), type_=type_))
        return [(f.severity, f.expression) for f in report.findings if f.rule == "reference-form"]

    where = "Observation.subject.reference"
    assert of("p1", None) == [("warning", where)]
    assert of("Patient/p1/x", None) == [("warning", where)]
    assert of("Patient/p1", None) == of("Patient/p1/_history/2", None) == of("urn:uuid:1", None) == []
    inside = "Bundle.entry[0].resource.subject.reference"
    assert of("p1", "collection") == [("error", inside)]
    assert of("Patient?identifier=1", "collection") == [("error", inside)]
    assert of("Patient?identifier=1", "transaction") == []


def _posted(resource: dict[str, Any], type_: str) -> dict[str, Any]:
    if type_ == "transaction":
        return {"resource": resource, "request": {"method": "POST", "url": "Observation"}}
    return entry(resource)


def test_what_a_document_points_at_is_one_entry(core: Validator) -> None:
    def document(*versions: str | None, reference: str = "Patient/p1") -> list[str]:
        composition = {
            "resourceType": "Composition", "id": "c1", "status": "final", "type": {"text": "x"}, "title": "x",
            "date": "2024-01-01", "author": [{"display": "x"}], "subject": {"reference": reference},
        }  # fmt: skip
        patients = [entry({**WREN, **({"meta": {"versionId": v}} if v else {})}) for v in versions]
        whole = {
            **bundle(entry(composition), *patients, type_="document"),
            "identifier": {"system": "https://zz.example.test/id", "value": "1"},
            "timestamp": "2024-01-01T00:00:00Z",
        }
        return [place for rule, place in found(core.validate(whole)) if rule == "bundle-reference"]

    assert document("1") == []
    assert document() == ["Bundle.entry[0].resource.subject"]
    assert document("1", "2")[0] == "Bundle.entry[0].resource.subject"
    assert "Bundle.entry[0].resource.subject" not in document("1", "2", reference="Patient/p1/_history/2")
