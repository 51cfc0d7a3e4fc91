"""`icr-fhir`: an integrated care record by a UK Core R4 read API, as in HL7 UK's *draft* UK Core Access.

Source: HL7 UK, UK Core Access 0.1.0 (draft, repository HL7-UK/UK-Core-Access), "Clinical Data" and "Patient Index":
Patient SHALL be searched by `identifier`; where the system can reliably provide them, AllergyIntolerance,
Immunization, MedicationAdministration, MedicationDispense, MedicationRequest and MedicationStatement SHOULD be
searched, by `patient` (SHALL). It knows no CarePlan and nothing else; what a server offers beyond it is asked for
where the settings and the server's own capability statement both name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mpftconnect.adapters import AdapterContext, DocumentContent, Found, Reading, auth_from
from mpftconnect.adapters.fhir_reads import SEARCHES, FhirR4Reads
from mpftconnect.errors import AdapterError, NotDeclared, TimedOut
from mpftconnect.model import Attachment, DocumentReference, SectionName
from mpftconnect_icr.documents import content_of
from mpftconnect_icr.settings import ALSO, IcrFhirSettings
from mpftconnect_icr.statement import Statement

__all__ = ["IcrFhirAdapter"]


class IcrFhirAdapter(FhirR4Reads):
    """Reads one person from one record."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: IcrFhirSettings = context.settings
        self._statement = Statement()
        given = self._settings
        auth = auth_from(given.auth, context, token_url=given.token_url, key_id=given.key_id)
        super().__init__(auth, given.page_size)

    # What HL7 UK's draft has

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALLERGIES)

    def read_medications(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.MEDICATIONS)

    def read_immunisations(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.IMMUNISATIONS)

    # What a server may offer beyond it

    def read_care_plans(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.CARE_PLANS)

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.PROBLEMS)

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.RESULTS)

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REPORTS)

    def read_documents(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.DOCUMENTS)

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ENCOUNTERS)

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.APPOINTMENTS)

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REFERRALS)

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALERTS)

    def fetch_document(self, reading: Reading, document: DocumentReference, attachment: Attachment) -> DocumentContent:
        """What the attachment holds or points at; see `documents.py`."""
        return content_of(attachment, self._signed(reading).wire, max_bytes=self._settings.document_max_bytes)

    def _section(self, reading: Reading, name: SectionName) -> Iterator[Found]:
        """What the server has of those types of the section that it offers; the others are raised when these are told.

        Raises:
            NotDeclared: A type is not among `also_reads`, or the server does not say that it can be searched.
        """
        failure: AdapterError | None = None
        for type_, params in SEARCHES[name]:
            try:
                self._require_offered(reading, type_)
                yield from self._items(reading, type_, params)
            except TimedOut:
                raise
            except AdapterError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _require_offered(self, reading: Reading, type_: str) -> None:
        if type_ in ALSO and type_ not in self._settings.also_reads:
            raise NotDeclared(f"{type_} is not among also_reads", system=reading.system)
        if type_ not in self._statement.searched(self._signed(reading)):
            raise NotDeclared(f"the capability statement offers no search for {type_}", system=reading.system)
