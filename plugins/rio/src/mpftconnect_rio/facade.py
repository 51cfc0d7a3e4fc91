"""`rio-fhir`: RiO by a FHIR R4 facade. A *target*: what a trust would ask its supplier for, not what RiO is known to
offer. Any server that answers the searches below will do.

The caseload is FHIR's `EpisodeOfCare`: an association between a person and an organisation that takes some
responsibility for them while it lasts, which is just what an open referral to a team is. `Encounter` would be a
single contact, and `CareTeam` names who works together without saying that the service is responsible now.

Source: HL7 FHIR R4 (4.0.1), EpisodeOfCare (definition; search parameters `patient`, `status`); Search; Patient
(`identifier`, `link`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.adapters import AdapterContext, Reading, Verified, auth_from
from mpftconnect.adapters.fhir_r4 import search
from mpftconnect.adapters.fhir_reads import FhirR4Sections
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM, Patient
from mpftconnect_rio.settings import RioFhirSettings

__all__ = ["RioFhirAdapter"]


class RioFhirAdapter(FhirR4Sections):
    """Reads one person from the facade."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: RioFhirSettings = context.settings
        given = self._settings
        auth = auth_from(given.auth, context, token_url=given.token_url, key_id=given.key_id)
        super().__init__(auth, given.page_size)

    def verify_relationship(self, reading: Reading) -> Verified | None:
        """Whether an active episode of care joins the person to the user's organisation, or to the user."""
        who = reading.who
        if who.relationship not in ("caseload", "referral"):
            return None
        patient = reading.patient or self.find_patient(reading)
        if patient is None:
            return None
        found = search(self._signed(reading), "EpisodeOfCare", self._of(patient) | {"status": "active"})
        episodes = [each for each in found if isinstance(each, dict) and self._counts(each, patient)]
        if self._settings.caseload_by == "staff":
            if who.practitioner_id and any(_values(each, "careManager") & {who.practitioner_id} for each in episodes):
                return Verified("an active episode of care in RiO under this practitioner")
            return None
        if who.organisation == self._settings.organisation and any(
            who.organisation in _values(each, "managingOrganization", ODS_ORGANIZATION_SYSTEM) for each in episodes
        ):
            return Verified(f"an active episode of care in RiO under organisation {who.organisation}")
        return None

    def _counts(self, episode: Mapping[str, Any], patient: Patient) -> bool:
        types = episode.get("type")
        codes = {
            coding.get("code")
            for concept in (types if isinstance(types, list) else ())
            if isinstance(concept, Mapping)
            for coding in concept.get("coding") or ()
            if isinstance(coding, Mapping)
        }
        subject = episode.get("patient")
        pointer = subject.get("reference") if isinstance(subject, Mapping) else None
        return (
            episode.get("status") == "active"
            and isinstance(pointer, str)
            and "/".join(pointer.split("/")[-2:]) == patient.source.id
            and not codes & set(self._settings.teams_not_counted)
        )


def _values(resource: Mapping[str, Any], element: str, system: str | None = None) -> set[str]:
    """The identifier of a reference, as a set of one or none."""
    reference = resource.get(element)
    identifier = reference.get("identifier") if isinstance(reference, Mapping) else None
    if not isinstance(identifier, Mapping) or (system is not None and identifier.get("system") != system):
        return set()
    value = identifier.get("value")
    return {value} if isinstance(value, str) and value else set()
