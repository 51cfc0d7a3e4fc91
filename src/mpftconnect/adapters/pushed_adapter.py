"""An adapter whose system is not asked: it answers from what the system's feeds have pushed to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mpftconnect.adapters.contract import READS, AdapterContext, Found, Reading, Step
from mpftconnect.errors import AdapterError, AnswerRejected, ConfigurationError, FeedOverdue, NotDeclared
from mpftconnect.model import ClinicalItem, Item, Notice, Patient, SectionName

__all__ = ["PushedAdapter", "reads_pushed"]


class PushedAdapter:
    """Finds people and reads sections in the projections of one system's feeds. A subclass names its sections:

        class HospitalAdapter(PushedAdapter):
            read_results = reads_pushed(SectionName.RESULTS)

    Args:
        context: With an inbox, some of whose feeds name this system.
        site: What people call the place; it stands where a gap is explained.
    Raises:
        ConfigurationError: The configuration has no `[inbox]`.
    """

    def __init__(self, context: AdapterContext, *, site: str = "") -> None:
        if context.inbox is None:
            raise ConfigurationError(
                [f"systems.{context.name}: expected an [inbox] with a feed whose system is {context.name}"]
            )
        self._name, self._inbox, self._site = context.name, context.inbox, site

    @classmethod
    def sections(cls) -> tuple[SectionName, ...]:
        """What it can read, in the order of the record."""
        return tuple(section for section, capability in READS.items() if hasattr(cls, capability))

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person as the newest message has them, with the local numbers of all records of them; None if no message
        was about them and no feed is silent.

        Raises:
            FeedOverdue: No message was about them, and a feed is overdue: that nothing came says nothing.
            AnswerRejected: Two records of one NHS number disagree about the birth date, or have no family name in
                common: one of them may be another person's.
            NotDeclared: No feed of this system is configured.
            SystemFailed: The inbox does not answer.
        """
        found = [patient for number in _numbers(reading) for patient in self._inbox.patients(number)]
        if found:
            return _one(found)
        if not any(self._inbox.serves(section) for section in self.sections()):
            # A system without feeds would say "never heard of them" of everybody.
            raise NotDeclared("no feed of this system is configured", system=self._name)
        silent = self._inbox.overdue()
        if silent is not None:
            raise FeedOverdue(silent, system=self._name)
        return None

    def check_connection(self, wire: Any) -> Sequence[Step]:
        """Of each section that a feed brings, whether the feed is overdue. Nothing is asked of the system itself."""
        steps = []
        for section in self.sections():
            try:
                if not self._inbox.serves(section):
                    continue
                silent = self._inbox.overdue(section)
            except AdapterError as error:
                return [Step("inbox", False, f"{error}: look at the disk and the rights of the inbox's store")]
            advice = f"{silent}: ask the sender's integration team, and see `mpftconnect hl7 status`"
            steps.append(Step(f"feed of {section}", silent is None, "" if silent is None else advice))
        return steps or [Step("feeds", False, f"no feed has `system = {self._name}`")]

    def _read(self, reading: Reading, section: SectionName) -> Iterator[Found]:
        if not self._inbox.serves(section):
            site = f" of {self._site}" if self._site else ""
            raise NotDeclared(f"no feed{site} brings {section}", system=self._name)
        seen: set[object] = set()
        late: FeedOverdue | None = None
        for number in _numbers(reading):
            found = self._inbox.read(number, section)
            while True:
                try:
                    each = next(found)
                except StopIteration:
                    break
                except FeedOverdue as error:
                    # Kept until the person's former numbers were read as well.
                    late = error
                    break
                # The same thing under a former number is what was known of it before the number changed.
                if not isinstance(each, Item) or each.key not in seen:
                    yield _as_found(each, reading.patient)
                if isinstance(each, Item):
                    seen.add(each.key)
        if late is not None:
            raise late


def reads_pushed(section: SectionName) -> Callable[[PushedAdapter, Reading], Iterator[Found]]:
    """The method of a `PushedAdapter` that reads a section.

    It yields what stands, withdrawn things marked as such, then raises `FeedOverdue` if a feed that serves the section
    is silent, or `NotDeclared` if none serves it.
    """

    def read(self: PushedAdapter, reading: Reading) -> Iterator[Found]:
        return self._read(reading, section)

    read.__name__ = f"read_{section}"
    return read


def _as_found(found: Item | Notice, patient: Patient | None) -> Item | Notice:
    """The item, which names its person as the system's record of them does.

    A sender may have several numbers for one person, as before a merge. Whose a message is was decided when it was
    processed, and not by which of them it used.
    """
    if patient is None or not isinstance(found, ClinicalItem) or found.subject is None:
        return found
    subject = found.subject
    if not (subject.reference or "").startswith("Patient/"):
        return found
    return found.model_copy(update={"subject": subject.model_copy(update={"reference": patient.source.id})})


def _numbers(reading: Reading) -> tuple[str, ...]:
    numbers = (reading.nhs_number, *reading.former_numbers)
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _one(found: Sequence[Patient]) -> Patient:
    """The newest of a system's records of one person that states their NHS number, with the local numbers of all.

    One message that gives only a hospital number must not make of them somebody who cannot be compared.
    """
    stating = [patient for patient in found if patient.nhs_number is not None] or found
    newest = max(stating, key=lambda patient: patient.source.updated.sort_key if patient.source.updated else "")
    if not all(_may_be_one(newest, other) for other in found):
        raise AnswerRejected("the feeds give one NHS number to people of different names or birth dates")
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


def _may_be_one(one: Patient, other: Patient) -> bool:
    """Whether two records may be one person's: what both state of birth and family name must agree."""
    if one.birth_date is not None and other.birth_date is not None and one.birth_date != other.birth_date:
        return False
    names = [{name.family.casefold() for name in each.names if name.family} for each in (one, other)]
    return not all(names) or bool(names[0] & names[1])
