"""The adapter for a person's GP record: Access Record Structured and Access Document.

Source: GP Connect API 1.5 (nhsconnect/gpconnect). What an answer means is for `structured`; how it is asked for is
here and in the modules that this one uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from mpftconnect.adapters import AdapterContext, Deadline, DocumentContent, Found, Reading, Step, Wire
from mpftconnect.errors import AdapterError, ConfigurationError, NotPermitted, SystemFailed, UsageError, WrongPerson
from mpftconnect.model import (
    AccessContext,
    Attachment,
    DocumentReference,
    NhsNumber,
    Notice,
    Patient,
    SectionName,
)
from mpftconnect_gpconnect.directory import NotRegistered
from mpftconnect_gpconnect.documents import document_content, document_search, find_on_document_server
from mpftconnect_gpconnect.interactions import CAPABILITY_STATEMENT, STRUCTURED_RECORD
from mpftconnect_gpconnect.parameters import STRUCTURED, asks_not_given, medications_from, parameters
from mpftconnect_gpconnect.settings import GpConnectSettings
from mpftconnect_gpconnect.spine import Spine
from mpftconnect_gpconnect.structured import StructuredRecord, read_structured_record

__all__ = ["GpConnectAdapter"]

_CHECK_DIRECTORY = "check the endpoint (.../spine-directory/FHIR/R4) and the secret sds_api_key"
_CHECK_ASID = (
    "the directory does not list this organisation's system identifier for GP Connect structured records: check "
    "the settings `organisations`, and with the national service desk that the interaction is registered"
)
_CHECK_STATEMENT = "check spine_secure_proxy, the client certificate, and that the practice has enabled GP Connect"
_NO_CHECK = (
    "not tried: name in the settings `check` a practice to ask, and the person in whose name; GP Connect forbids "
    "requests by generic users"
)


class GpConnectAdapter:
    """Reads one person's GP record. One structured request serves all sections of a reading; nothing is written."""

    def __init__(self, context: AdapterContext) -> None:
        settings: GpConnectSettings = context.settings
        if context.environment == "live" and settings.spine_secure_proxy is None and not settings.direct_origins:
            where = f"systems.{context.name}.settings"
            raise ConfigurationError([f"{where}: a live system needs spine_secure_proxy or direct_origins"])
        self._settings = settings
        self._spine = Spine.of(settings, context.secret("sds_api_key"))

    def find_patient(self, reading: Reading) -> Patient:
        """The person as their practice's system knows them.

        Raises:
            NotShown: It does not show them, which says nothing of whether it holds them; or no practice is known.
            WrongPerson: It answered about somebody else.
        """
        if not reading.sections & STRUCTURED:
            return self._on_document_server(reading).patient
        try:
            return self._record(reading).patient
        except (NotPermitted, NotRegistered, SystemFailed) as error:
            if SectionName.DOCUMENTS not in reading.sections:
                raise
            # One capability may be there without the other: then the documents are shown, and every section of the
            # structured record repeats what went wrong with it. Whoever dissents is not asked about twice.
            try:
                return self._on_document_server(reading).patient
            except AdapterError:
                raise error from None

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.PROBLEMS)

    def read_medications(self, reading: Reading) -> Iterator[Found]:
        yield from self._section(reading, SectionName.MEDICATIONS)
        if self._asked_since(reading):
            text = "Medicines that ended before the configured time were not asked for."
            yield Notice("limited-by-date", text, incomplete=True)

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALLERGIES)

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.RESULTS)

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REPORTS)

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ENCOUNTERS)

    def read_notes(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.NOTES)

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REFERRALS)

    def read_immunisations(self, reading: Reading) -> Iterator[Found]:
        yield from self._section(reading, SectionName.IMMUNISATIONS)
        if not asks_not_given(reading.sections):
            text = "Immunisations recorded as not given cannot be asked for together with consultations or problems."
            yield Notice("not-given-not-asked", text, incomplete=True)

    def read_documents(self, reading: Reading) -> Iterator[Found]:
        """The documents by Access Document, then those that the structured record links to, each once."""
        number = self._admitted(reading)
        bundle = document_search(self._spine, reading, number)
        listed = _searched(reading, bundle, frozenset({SectionName.DOCUMENTS}))
        self._require_same_person(reading, listed.patient)
        shown: set[str] = set()
        for found in listed.sections.get(SectionName.DOCUMENTS, ()):
            if isinstance(found, DocumentReference):
                if shown & _names(found):
                    continue
                shown |= _names(found)
            yield found
        if not reading.sections & STRUCTURED:
            return
        for found in self._record(reading).sections.get(SectionName.DOCUMENTS, ()):
            if not isinstance(found, DocumentReference) or not shown & _names(found):
                yield found

    def fetch_document(self, reading: Reading, document: DocumentReference, attachment: Attachment) -> DocumentContent:
        """The content of a document that this system gave for this person.

        Raises:
            UsageError: The document is not this system's, or the attachment not the document's.
        """
        self._admitted(reading)
        if document.source.system != reading.system or attachment not in document.attachments:
            raise UsageError("the document must be one that this system gave, and the attachment one of its own")
        return document_content(self._spine, reading, attachment, most_bytes=self._settings.most_document_bytes)

    def check_connection(self, wire: Wire) -> Iterator[Step]:
        """The directory, each organisation's own identifier in it, and a practice's capability statement."""
        check = self._settings.check
        who = AccessContext(
            user=check.user if check else "nobody",
            name=check.name if check else "nobody",
            role="connection check",
            organisation=check.organisation if check else "",
            purpose="direct-care",
            relationship="none",
        )
        reading = Reading(
            system=wire.system, who=who, wire=wire, deadline=Deadline.after(wire.endpoint.deadline_seconds)
        )
        for number, (code, organisation) in enumerate(self._settings.organisations.items()):
            try:
                asids = self._spine.own_asids(reading, code, STRUCTURED_RECORD)
            except AdapterError as error:
                yield Step("directory", False, f"{error.rule}: {_CHECK_DIRECTORY}")
                return
            if number == 0:
                yield Step("directory", True)
            known = organisation.asid in asids
            yield Step(f"own identifier of {code}", known, "" if known else _CHECK_ASID)
        if check is None:
            yield Step("capability statement", False, _NO_CHECK)
            return
        try:
            practice = self._spine.practice_at(reading, check.practice, CAPABILITY_STATEMENT)
            statement = self._spine.get(reading, practice, CAPABILITY_STATEMENT, "metadata")
        except AdapterError as error:
            yield Step("capability statement", False, f"{error.rule}: {_CHECK_STATEMENT}")
            return
        stu3 = statement.get("resourceType") == "CapabilityStatement" and str(
            statement.get("fhirVersion", "")
        ).startswith("3.0")
        yield Step("capability statement", stu3, "" if stu3 else "what answers there does not say it speaks FHIR STU3")

    # One answer for all sections

    def _section(self, reading: Reading, section: SectionName) -> Iterable[Found]:
        return [found for found in self._record(reading).sections.get(section, ()) if not _says_empty(found)]

    def _record(self, reading: Reading) -> StructuredRecord:
        return reading.once("gpconnect.structured", lambda: self._asked(reading))

    def _asked(self, reading: Reading) -> StructuredRecord:
        number = self._admitted(reading)
        wanted = reading.sections & STRUCTURED
        practice = self._spine.practice(reading, STRUCTURED_RECORD)
        asked = parameters(
            number,
            wanted,
            today=_today(reading),
            prescription_issues=self._settings.prescription_issues,
            active_within_days=self._settings.medications_active_within_days,
        )
        bundle = self._spine.post(reading, practice, STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord", asked)
        included = wanted | (reading.sections & {SectionName.DOCUMENTS})
        record = read_structured_record(bundle, reading=reading, included=included)
        self._require_same_person(reading, record.patient)
        return record

    def _on_document_server(self, reading: Reading) -> StructuredRecord:
        number = self._admitted(reading)
        bundle = find_on_document_server(self._spine, reading, number)
        record = _searched(reading, bundle, frozenset())
        self._require_same_person(reading, record.patient)
        return record

    def _asked_since(self, reading: Reading) -> bool:
        today = _today(reading)
        days = self._settings.medications_active_within_days
        return medications_from(reading.sections & STRUCTURED, today, days) is not None

    def _admitted(self, reading: Reading) -> NhsNumber:
        """The number to ask by, if anything may be asked at all."""
        if reading.who.purpose != "direct-care":
            raise NotPermitted("GP Connect is asked for direct care alone", system=reading.system)
        if reading.nhs_number is None:
            raise UsageError("GP Connect knows people by NHS number")
        return reading.nhs_number

    def _require_same_person(self, reading: Reading, patient: Patient) -> None:
        if patient.nhs_number not in (reading.nhs_number, *reading.former_numbers):
            raise WrongPerson("another NHS number than was asked for", system=reading.system, place="Patient")


def _searched(reading: Reading, bundle: Mapping[str, Any], included: frozenset[SectionName]) -> StructuredRecord:
    """What a search found, read as the same resources of a structured record are."""
    return read_structured_record({**bundle, "type": "collection"}, reading=reading, included=included)


def _says_empty(found: Found) -> bool:
    """Whether it only says that a list came empty.

    The status of an empty section says so already, and a list that a silent policy empties must not be told from one
    that came empty (rule 6).
    """
    return isinstance(found, Notice) and found.code == "no-content-recorded"


def _names(document: DocumentReference) -> set[str]:
    """What tells that two references are to one document: their ids, business identifiers and addresses."""
    identifiers = {f"{each.system}|{each.value}" for each in document.identifiers if each.value}
    return {document.source.id, *identifiers, *(each.url for each in document.attachments if each.url)}


def _today(reading: Reading) -> date:
    """The day it is where the practice is: not yet tomorrow there while it is today here."""
    return reading.now().astimezone(ZoneInfo(reading.zone)).date()
