"""Whom a message is about: numbers, names, places, and what is not guessed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpftconnect.hl7v2 import Mapped, Site, Upsert
from mpftconnect.model import NHS_NUMBER_SYSTEM, AllergyIntolerance, Condition, Patient, RelatedPerson

Mapper = Callable[..., Mapped]
PID = "PID|1||77^^^RRE^MR~9990000018^^^NHS^NH||DOE^Jane^Ann^^Ms^^L||19500301|F"


def patient(mapped: Mapped) -> Patient:
    found = mapped.items[0]
    assert isinstance(found, Patient)
    return found


def test_numbers_by_authority_and_the_status_of_the_nhs_number(mapped: Mapper) -> None:
    found = patient(mapped("ADT^A28", PID + "|" * 24 + "01"))
    assert [(known.value, known.verification_status) for known in found.identifiers] == [
        ("77", None),
        ("9990000018", "01"),
    ]
    assert found.nhs_number == "9990000018"
    assert found.identifiers[0].system == "https://mpftconnect.example/hl7v2/authority/RRE"


def test_a_site_says_who_numbers_what(mapped: Mapper) -> None:
    site = Site(authorities={"RRE": "https://rre.example/Id/mrn"}, nhs_authorities=("NN",))
    found = patient(mapped("ADT^A28", "PID|||77^^^RRE~9990000018^^^NN||DOE", site=site))
    assert [known.system for known in found.identifiers] == ["https://rre.example/Id/mrn", NHS_NUMBER_SYSTEM]


@pytest.mark.parametrize("number", ["9990000019", "999000001", "ABC"])
def test_a_wrong_nhs_number_is_no_identifier_and_is_not_lost(mapped: Mapper, number: str) -> None:
    result = mapped("ADT^A28", f"PID|||{number}^^^NHS^NH~77^^^RRE||DOE")
    found = patient(result)
    assert [known.value for known in found.identifiers] == ["77"]
    assert {extra.path: extra.value for extra in found.extra}["PID-3"] == number
    assert result.ledger.lost == ()


def test_a_number_without_an_authority_is_the_senders_and_the_ledger_says_assumed(mapped: Mapper) -> None:
    result = mapped("ADT^A28", "PID|||77||DOE")
    assert patient(result).identifiers[0].system == "https://mpftconnect.example/hl7v2/authority/RRE"
    assert [entry.why for entry in result.ledger if entry.location == "PID-3"] == ["assigning-authority"]


def test_names_addresses_and_numbers_to_call_with_their_use(mapped: Mapper) -> None:
    found = patient(
        mapped(
            "ADT^A28",
            "PID|||77^^^RRE||DOE^Jane^Ann^^Ms^^L~ROE^Jane^^^^^M||195003|F||"
            "|1 High St^Flat 2^Leeds^West Yorks^LS1 1AA^GBR^H"
            "||01632 960000^PRN^PH~^NET^Internet^j@doe.example|01632 960001^WPN",
        )
    )
    assert [(name.use, name.family, name.given) for name in found.names] == [
        ("official", "DOE", ("Jane", "Ann")),
        ("maiden", "ROE", ("Jane",)),
    ]
    assert found.addresses[0].words() == "1 High St, Flat 2, Leeds, West Yorks, LS1 1AA, GBR"
    assert found.addresses[0].use == "home"
    assert [(point.system, point.value, point.use) for point in found.telecom] == [
        ("phone", "01632 960000", "home"),
        ("email", "j@doe.example", "home"),
        ("phone", "01632 960001", "work"),
    ]
    assert found.birth_date is not None and found.birth_date.words() == "March 1950"


def test_a_time_of_birth_is_kept_beside_the_date(mapped: Mapper) -> None:
    result = mapped("ADT^A28", "PID|||77^^^RRE||DOE||195003010830")
    found = patient(result)
    assert found.birth_date is not None and found.birth_date.text == "1950-03-01"
    assert {extra.path: extra.value for extra in found.extra}["PID-7"] == "195003010830"
    assert result.ledger.lost == ()


@pytest.mark.parametrize(("sent", "mark"), [("202610250130", "ambiguous"), ("202603290130", "non-existent")])
def test_a_local_time_that_is_no_one_moment_is_marked_and_not_guessed(mapped: Mapper, sent: str, mark: str) -> None:
    found = patient(mapped("ADT^A28", f"PID|||77^^^RRE||DOE{'|' * 24}{sent}"))
    assert found.deceased is not None and not isinstance(found.deceased, bool)
    assert found.deceased.mark == mark and found.deceased.instant is None


@pytest.mark.parametrize("sent", ["20260230", "19800000", "99999999", "not a date", "2026030125"])
def test_what_is_no_date_is_kept_as_sent(mapped: Mapper, sent: str) -> None:
    result = mapped("ADT^A28", f"PID|||77^^^RRE||DOE||{sent}")
    found = patient(result)
    assert found.birth_date is None or sent == "2026030125"
    assert {extra.path: extra.value for extra in found.extra}["PID-7"] == sent
    assert result.ledger.lost == ()


def test_null_removes_and_absence_keeps(mapped: Mapper) -> None:
    change = mapped("ADT^A08", 'PID|||77^^^RRE||DOE||""|||||""' + "|" * 18 + '""').changes[0]
    assert isinstance(change, Upsert)
    assert change.removed == ("birth_date", "telecom", "deceased") or set(change.removed) >= {"birth_date", "deceased"}
    assert "gender" not in change.removed and "names" not in change.removed


def test_the_general_practitioner_and_the_practice(mapped: Mapper) -> None:
    site = Site(ods_fields=("PD1-3",))
    found = patient(mapped("ADT^A28", PID, "PD1|||High St Surgery^^ZZ123|G999^Patel^Sam^^^Dr^^^GMP", site=site))
    person, practice = found.general_practitioner
    assert person.name == "Dr Sam Patel" and person.identifier is not None
    assert person.identifier.system == "https://fhir.hl7.org.uk/Id/gmp-number"
    assert (practice.organization, practice.organization_code) == ("High St Surgery", "ZZ123")


def test_a_practice_number_is_not_taken_for_an_ods_code(mapped: Mapper) -> None:
    (practice,) = patient(mapped("ADT^A28", PID, "PD1|||High St Surgery^^ZZ123")).general_practitioner
    assert practice.organization_code is None and practice.identifier is not None


def test_fields_that_ask_for_confidence_are_carried(mapped: Mapper) -> None:
    result = mapped("ADT^A01", PID, "PD1||||||||||||Y", "PV1||I|W1|||||||||||||VIP|||V1^^^RRE")
    assert all(change.subject.restricted == ("PD1-12", "PV1-16") for change in result.changes)
    assert patient(result).restriction == "R"
    assert mapped("ADT^A01", PID, "PD1||||||||||||N").changes[0].subject.restricted == ()


def test_a_person_without_a_number_is_parked_and_not_made_up(mapped: Mapper) -> None:
    result = mapped("ADT^A28", "PID|||||DOE^Jane")
    assert result.changes == () and [parked.code for parked in result.parked] == ["no-person-identifier"]
    assert {entry.outcome for entry in result.ledger if entry.segment == "PID"} == {"parked"}


def test_a_result_only_mentions_its_person(mapped: Mapper) -> None:
    change = mapped("ORU^R01", PID, "OBR|1||F1|GLU", "OBX|1|NM|GLU||7|mmol/L|||||F").changes[0]
    assert isinstance(change, Upsert) and change.mentions
    change = mapped("ADT^A31", PID).changes[0]
    assert isinstance(change, Upsert) and not change.mentions


def test_next_of_kin(mapped: Mapper) -> None:
    result = mapped("ADT^A28", PID, "NK1|1|ROE^Rick|HUSB^Husband|1 High St^^Leeds|01632 960002||EC")
    kin = next(item for item in result.items if isinstance(item, RelatedPerson))
    assert kin.words() == "ROE, Rick (Husband)" and kin.emergency_contact is True
    assert kin.reference is not None and kin.reference.reference == result.changes[0].key.reference  # type: ignore[union-attr]
    again = mapped("ADT^A31", PID, "NK1|2|ROE^Rick|HUSB^Husband")
    assert again.changes[1].key == result.changes[1].key, "the set id is no name"  # type: ignore[union-attr]


def test_allergies_and_their_withdrawal(mapped: Mapper) -> None:
    result = mapped("ADT^A28", PID, "AL1|1|DA|PEN^Penicillin^L|SV|Rash~Wheeze|2020")
    found = result.items[1]
    assert isinstance(found, AllergyIntolerance)
    assert found.code.words() == "Penicillin" and found.category == ("medication",)
    assert [reaction.severity for reaction in found.reactions] == ["severe", None]
    gone = mapped("ADT^A28", PID, "IAM|1|DA|PEN^Penicillin^L|||D")
    assert gone.items[1].withdrawn is not None and gone.changes[1].key == result.changes[1].key  # type: ignore[union-attr]


def test_diagnoses_and_their_withdrawal(mapped: Mapper) -> None:
    visit = "PV1||I|W1" + "|" * 16 + "V1^^^RRE"
    result = mapped("ADT^A01", PID, visit, "DG1|1||I10^Hypertension^I10|High blood pressure|2025|A")
    found = next(item for item in result.items if isinstance(item, Condition))
    assert found.words() == "High blood pressure" and found.encounter is not None
    gone = mapped("ADT^A08", PID, visit, "DG1|1||I10^Hypertension^I10|||A" + "|" * 15 + "D")
    withdrawn = next(item for item in gone.items if isinstance(item, Condition))
    assert withdrawn.withdrawn == "Entered in error"
