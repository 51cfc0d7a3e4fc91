"""The twin of a RiO behind a FHIR R4 facade: a FHIR R4 twin with pages of one, and the caseload as EpisodeOfCare.

Assumed: nobody has published such a facade. Source: HL7 FHIR R4 (4.0.1), EpisodeOfCare (search parameters `patient`,
`status`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpftconnect.model import ODS_ORGANIZATION_SYSTEM
from mpftconnect.sandbox import FhirTwin, Person
from mpftconnect_rio.settings import CLIENT_ID_SYSTEM

__all__ = ["ORGANISATION", "RioFacadeTwin", "configure"]

ORGANISATION = "RRE"

_TEAMS = "https://mpftconnect.example/Id/rio-team-code"


class RioFacadeTwin(FhirTwin):
    """Answers for the people who have a view named `rio`.

    Args:
        people: Whom it may know.
    """

    base_path = "/FHIR/R4/"
    page_size = 1  # so that whatever there are two of comes in pages
    local_id_system = CLIENT_ID_SYSTEM
    also_by: Mapping[str, str] = {**FhirTwin.also_by, "EpisodeOfCare": "status"}

    def __init__(self, people: Sequence[Person]) -> None:
        super().__init__(people, "rio")

    def resources_of(self, person: Person) -> Iterator[dict[str, Any]]:
        yield from super().resources_of(person)
        view = person.systems["rio"]
        for number, entry in enumerate(view.settings.get("caseload", ())):
            yield _episode(entry, number, view.local_id)


def configure(twin: RioFacadeTwin, base_url: str) -> dict[str, Any]:
    """The system's table of a configuration that reads this twin."""
    return {
        "adapter": "rio-fhir",
        "endpoint": base_url.rstrip("/") + twin.base_path.rstrip("/"),
        "settings": {"organisation": ORGANISATION},
        "secrets": {"token": twin.token},
    }


def _episode(entry: Mapping[str, Any], number: int, local_id: str) -> dict[str, Any]:
    """An entry of the caseload as FHIR's EpisodeOfCare."""
    period = {"start": entry["opened"]} | ({"end": entry["closed"]} if entry.get("closed") else {})
    coding = {"system": _TEAMS, "code": entry["team_code"], "display": entry["team"]}
    return {
        "resourceType": "EpisodeOfCare",
        "id": f"{local_id}-{number}",
        "status": "finished" if entry.get("closed") else "active",
        "type": [{"coding": [coding], "text": entry["team"]}],
        "patient": {"reference": f"Patient/{local_id}"},
        "managingOrganization": {"identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": ORGANISATION}},
        "period": period,
        **({"careManager": {"display": entry["practitioner"]}} if entry.get("practitioner") else {}),
    }
