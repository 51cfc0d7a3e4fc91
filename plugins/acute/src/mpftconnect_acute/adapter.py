"""Reads what a hospital's feeds have pushed, from the inbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mpftconnect.adapters import AdapterContext, Found, Reading, Step, Wire
from mpftconnect.errors import AdapterError, ConfigurationError, FeedOverdue, NotDeclared
from mpftconnect.model import NhsNumber, Patient, SectionName
from mpftconnect_acute.sections import SECTIONS
from mpftconnect_acute.settings import AcuteSettings

__all__ = ["AcuteAdapter"]


class AcuteAdapter:
    """One hospital, by its feeds.

    Args:
        context: With an inbox, some of whose feeds name this system.
    Raises:
        ConfigurationError: No inbox is configured.
    """

    def __init__(self, context: AdapterContext) -> None:
        if context.inbox is None:
            raise ConfigurationError(
                [f"systems.{context.name}: expected an [inbox] with a feed whose system is {context.name}"]
            )
        self._name, self._inbox = context.name, context.inbox
        self._settings = context.settings if isinstance(context.settings, AcuteSettings) else AcuteSettings()

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person, as the hospital's messages have them; None if no message was about them.

        Raises:
            FeedOverdue: No message was about them, and a feed is overdue: that nothing came says nothing.
        """
        found = [patient for number in _numbers(reading) for patient in self._inbox.patients(number)]
        if found:
            return _one(found)
        silent = self._inbox.overdue()
        if silent is not None:
            raise FeedOverdue(silent, system=self._name)
        return None

    def check_connection(self, wire: Wire) -> Sequence[Step]:
        """Of each section that a feed brings, whether the feed is overdue. Nothing is asked of the hospital."""
        steps = []
        for section in SECTIONS:
            if self._inbox.serves(section):
                try:
                    silent = self._inbox.overdue(section)
                except AdapterError as error:
                    return [Step("inbox", False, f"{error}: look at the disk and the rights of the inbox's store")]
                advice = f"{silent}: ask the hospital's integration team, and see `mpftconnect hl7 status`"
                steps.append(Step(f"feed of {section}", silent is None, "" if silent is None else advice))
        return steps or [Step("feeds", False, f"no feed has `system = {self._name}`")]

    def read_results(self, reading: Reading) -> Iterator[Found]:
        """Results, those that were withdrawn marked as that."""
        return self._pushed(reading, SectionName.RESULTS)

    def read_reports(self, reading: Reading) -> Iterator[Found]:
        """Reports of pathology and radiology."""
        return self._pushed(reading, SectionName.REPORTS)

    def read_documents(self, reading: Reading) -> Iterator[Found]:
        """Letters and discharge summaries."""
        return self._pushed(reading, SectionName.DOCUMENTS)

    def read_encounters(self, reading: Reading) -> Iterator[Found]:
        """Admissions, attendances, transfers and discharges."""
        return self._pushed(reading, SectionName.ENCOUNTERS)

    def read_appointments(self, reading: Reading) -> Iterator[Found]:
        """Bookings, moved and cancelled ones too."""
        return self._pushed(reading, SectionName.APPOINTMENTS)

    def read_referrals(self, reading: Reading) -> Iterator[Found]:
        """Orders and referrals."""
        return self._pushed(reading, SectionName.REFERRALS)

    def read_immunisations(self, reading: Reading) -> Iterator[Found]:
        """Vaccinations given."""
        return self._pushed(reading, SectionName.IMMUNISATIONS)

    def read_allergies(self, reading: Reading) -> Iterator[Found]:
        """Allergies that messages named."""
        return self._pushed(reading, SectionName.ALLERGIES)

    def read_problems(self, reading: Reading) -> Iterator[Found]:
        """Diagnoses that messages named."""
        return self._pushed(reading, SectionName.PROBLEMS)

    def _pushed(self, reading: Reading, section: SectionName) -> Iterator[Found]:
        if not self._inbox.serves(section):
            site = f" of {self._settings.site}" if self._settings.site else ""
            raise NotDeclared(f"no feed{site} brings {section}", system=self._name)
        late: FeedOverdue | None = None
        for number in _numbers(reading):
            try:
                yield from self._inbox.read(number, section)
            except FeedOverdue as silent:
                # What came by the person's other numbers is shown all the same.
                late = silent
        if late is not None:
            raise late


def _numbers(reading: Reading) -> tuple[NhsNumber, ...]:
    """The person's number and the former ones: messages that came before a number was superseded stand under it."""
    current = (reading.nhs_number,) if reading.nhs_number else ()
    return tuple(dict.fromkeys((*current, *reading.former_numbers)))


def _one(found: Sequence[Patient]) -> Patient:
    """The newest of a hospital's records of one person, with the numbers of all of them."""
    newest = max(found, key=lambda patient: patient.source.updated.sort_key if patient.source.updated else "")
    known = {(number.system, number.value) for number in newest.identifiers}
    others = [
        number
        for patient in found
        for number in patient.identifiers
        if not number.is_nhs_number and (number.system, number.value) not in known
    ]
    if not others:
        return newest
    return newest.model_copy(update={"identifiers": (*newest.identifiers, *dict.fromkeys(others))})
