"""The person, and the professionals, organisations and places around a record entry, in STU3.

Source: GP Connect API 1.5, "Find a patient" (what Patient holds, and what it SHALL NOT), "FHIR resource guidance"
(CareConnect-GPC-Patient-1, -Practitioner-1, -PractitionerRole-1, -Organization-1, -Location-1).
"""

from __future__ import annotations

from typing import Any

from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Actor,
    Address,
    ContactPoint,
    HumanName,
    Patient,
)
from mpftconnect_gpconnect.twin.writing import GPC, GPC_CODES, coded, concept, filled, profiled, stable_id

__all__ = ["Surroundings", "patient_resource"]

_LANGUAGES = f"{GPC_CODES}CareConnect-HumanLanguage-1"


class Surroundings:
    """Collects whoever is referred to, so that each comes once in the Bundle."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Any]] = {}

    @property
    def resources(self) -> list[dict[str, Any]]:
        return list(self._held.values())

    def reference(self, actor: Actor | None) -> dict[str, str] | None:
        """A reference to the person if it is one, else to the organisation."""
        if actor is None or not (actor.name or actor.organization or actor.organization_code):
            return None
        if actor.name and actor.name != actor.organization:
            return self._practitioner(actor)
        return self.organization(actor)

    def organization(self, actor: Actor) -> dict[str, str] | None:
        name, code = actor.organization or actor.name, actor.organization_code
        if not name and not code:
            return None
        codes = [{"system": ODS_ORGANIZATION_SYSTEM, "value": code}] if code else []
        own_id = stable_id("org", name, code)
        return self._hold(profiled("Organization", "Organization", own_id, identifier=codes, name=name))

    def location(self, actor: Actor) -> dict[str, str]:
        name = actor.name or actor.organization
        own_id = stable_id("loc", name, actor.organization_code)
        managing = self.organization(actor)
        return self._hold(profiled("Location", "Location", own_id, name=name, managingOrganization=managing))

    def _practitioner(self, actor: Actor) -> dict[str, str]:
        own_id = stable_id("prac", actor.name, actor.organization_code)
        words = (actor.name or "").split()
        prefix = [words.pop(0)] if words and words[0].rstrip(".") in ("Dr", "Mr", "Mrs", "Ms", "Miss", "Prof") else []
        name = filled(
            {"use": "official", "family": words[-1] if words else None, "given": words[:-1], "prefix": prefix}
        )
        found = self._hold(profiled("Practitioner", "Practitioner", own_id, name=[name]))
        organization = self.organization(
            Actor(organization=actor.organization, organization_code=actor.organization_code)
        )
        if organization or actor.role:
            self._hold(
                profiled(
                    "PractitionerRole",
                    "PractitionerRole",
                    f"{own_id}-role",
                    practitioner=found,
                    organization=organization,
                    code=[{"text": actor.role}] if actor.role else [],
                )
            )
        return found

    def _hold(self, resource: dict[str, Any]) -> dict[str, str]:
        reference = f"{resource['resourceType']}/{resource['id']}"
        self._held.setdefault(reference, resource)
        return {"reference": reference}


def patient_resource(local_id: str, number: str, patient: Patient, around: Surroundings) -> dict[str, Any]:
    """The Patient: one official name, and nothing that GP Connect leaves out."""
    practice = next(iter(patient.general_practitioner), None)
    organization = around.organization(practice) if practice else None
    name = patient.name
    return profiled(
        "Patient",
        "Patient",
        local_id,
        extension=[_communication(need) for need in patient.communication if need.language],
        identifier=[_nhs_number(number, patient.verification_status or "01")],
        active=True,
        name=[_name(name)] if name else [],
        telecom=[_telecom(point) for point in patient.telecom],
        gender=patient.gender,
        birthDate=patient.birth_date.text if patient.birth_date else None,
        address=[_address(address) for address in patient.addresses],
        generalPractitioner=[organization] if organization else [],
        managingOrganization=organization,
    )


def _nhs_number(number: str, status: str) -> dict[str, Any]:
    url = f"{GPC}Extension-CareConnect-GPC-NHSNumberVerificationStatus-1"
    verified = coded(f"{GPC_CODES}CareConnect-NHSNumberVerificationStatus-1", status)
    return {
        "extension": [{"url": url, "valueCodeableConcept": verified}],
        "system": NHS_NUMBER_SYSTEM,
        "value": number,
    }


def _name(name: HumanName) -> dict[str, Any]:
    # "a single instance of the name element with the use of official"
    return filled(
        {
            "use": "official",
            "text": name.text,
            "family": name.family,
            "given": list(name.given),
            "prefix": list(name.prefix),
        }
    )


def _address(address: Address) -> dict[str, Any]:
    return filled(
        {
            "use": address.use,
            "type": "physical",
            "line": list(address.line),
            "city": address.city,
            "district": address.district,
            "postalCode": address.postal_code,
        }
    )


def _telecom(point: ContactPoint) -> dict[str, Any]:
    return filled({"system": point.system, "value": point.value, "use": point.use})


def _communication(need: Any) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "language", "valueCodeableConcept": concept(need.language)}]
    if need.interpreter_required is not None:
        parts.append({"url": "interpreterRequired", "valueBoolean": need.interpreter_required})
    return {"url": f"{GPC}Extension-CareConnect-GPC-NHSCommunication-1", "extension": parts}
