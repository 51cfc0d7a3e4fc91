"""Whether what a system holds under a number is about the same person (rule 4).

A contribution joins when the NHS number (current or former) *and* the full date of birth agree with the trace, *and*
either a current, previous or known-as family name agrees or the source states verification status 01 ("number
present and verified"). Otherwise it is set apart. The number alone never joins anything.

| NHS number | date of birth | family name | status 01 | outcome |
|---|---|---|---|---|
| differs | any | any | any | set apart: `number-differs` |
| agrees | not stated in full on both sides | any | any | set apart: `birth-date-not-stated` |
| agrees | differs | any | any | set apart: `birth-date-differs` |
| agrees | agrees | agrees | any | joined: `number-birth-date-name` |
| agrees | agrees | differs or not stated | yes | joined: `number-birth-date-verified` |
| agrees | agrees | not stated on one side | no | set apart: `family-name-not-stated` |
| agrees | agrees | differs | no | set apart: `family-name-differs` |
| agrees, traced | kept by no index | kept by no index | - | joined: `traced-number` |
| agrees, not traced | kept by no index | kept by no index | - | set apart: `number-not-traced` |
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from mpftconnect.model import Demographics, Patient

__all__ = ["Match", "agreeing", "compare", "family_names", "match", "match_by_number"]


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a contribution joins, by which rule, and the rule in words."""

    joins: bool
    rule: str
    text: str


_TEXT = {
    "number-birth-date-name": "NHS number, date of birth and family name agree with the tracing service",
    "number-birth-date-verified": (
        "NHS number and date of birth agree with the tracing service, and the source states that it verified the number"
    ),
    "number-differs": "the source gives another NHS number",
    "birth-date-not-stated": "the date of birth is not stated in full, so it cannot be compared",
    "birth-date-differs": "the date of birth differs from the tracing service's",
    "family-name-not-stated": "no family name can be compared, and the source does not say that it verified the number",
    "traced-number": (
        "the source keeps no demographics; it files this under the NHS number that the tracing service gave"
    ),
    "number-not-traced": "the source keeps no demographics, and the tracing service did not confirm the NHS number",
    "family-name-differs": "the family name differs, and the source does not say that it verified the number",
}


def family_names(patient: Patient) -> frozenset[str]:
    """Family names of all uses (current, previous, known as), folded: no case, accents, spaces, hyphens, apostrophes.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import HumanName, Source
    >>> source = Source(system="s", id="1", fetched=datetime.now(UTC))
    >>> sorted(family_names(Patient(source=source, names=(HumanName(family="O'Brien-Núñez"),))))
    ['obriennunez']
    """
    return frozenset(folded for name in patient.names if name.family and (folded := _folded(name.family)))


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain.casefold() if letter.isalnum())


def match(found: Patient, traced: Patient, numbers: Collection[str]) -> Match:
    """Compare a system's patient with the traced one.

    Args:
        found: The person as the system knows them.
        traced: The person as the tracing service knows them.
        numbers: The current and former NHS numbers of the traced person.
    """

    def told(joins: bool, rule: str) -> Match:
        return Match(joins, rule, _TEXT[rule])

    if found.nhs_number not in numbers:
        return told(False, "number-differs")
    ours, theirs = traced.birth_date, found.birth_date
    if ours is None or theirs is None or ours.precision != "day" or theirs.precision != "day":
        return told(False, "birth-date-not-stated")
    if ours.text != theirs.text:
        return told(False, "birth-date-differs")
    ours_named, theirs_named = family_names(traced), family_names(found)
    if ours_named & theirs_named:
        return told(True, "number-birth-date-name")
    if found.verification_status == "01":
        return told(True, "number-birth-date-verified")
    return told(False, "family-name-differs" if ours_named and theirs_named else "family-name-not-stated")


def match_by_number(found: Patient, numbers: Collection[str], *, traced: bool) -> Match:
    """As `match`, for an index that keeps no demographics.

    Args:
        numbers: The current and former NHS numbers of the person.
        traced: Whether the tracing service gave them.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import Identifier, Source
    >>> found = Patient(source=Source(system="s", id="1", fetched=datetime.now(UTC)),
    ...                 identifiers=(Identifier.nhs("9990000018"),))
    >>> [match_by_number(found, {"9990000018"}, traced=traced).rule for traced in (True, False)]
    ['traced-number', 'number-not-traced']
    """
    rule = "number-differs" if found.nhs_number not in numbers else "traced-number" if traced else "number-not-traced"
    return Match(rule == "traced-number", rule, _TEXT[rule])


def agreeing(found: Collection[Patient], number: str) -> bool:
    """Whether all of these agree with one another, where no trace can arbitrate."""
    # Each with each: two who agree with a third may yet disagree with one another, whoever came first.
    return all(match(one, other, {number}).joins for one in found for other in found)


def compare(expected: Demographics, patient: Patient) -> tuple[str, ...]:
    """The fields in which what the user had in front of them differs from the record; no values.

    What either side does not state is not a mismatch.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import PartialDate, Source
    >>> someone = Patient(source=Source(system="s", id="1", fetched=datetime.now(UTC)), gender="female",
    ...                   birth_date=PartialDate("1950-03-01"))
    >>> compare(Demographics(birth_date=PartialDate("1951-03-01"), gender="female"), someone)
    ('birth date',)
    """
    mismatches = []
    names = family_names(patient)
    if expected.family and names and _folded(expected.family) not in names:
        mismatches.append("family name")
    given = {_folded(part) for name in patient.names for part in name.given}
    if expected.given and given and not any(_folded(part) in given for part in expected.given):
        mismatches.append("given name")
    if expected.birth_date and patient.birth_date:
        ours, theirs = expected.birth_date.text, patient.birth_date.text
        shorter = min(len(ours), len(theirs))
        if ours[:shorter] != theirs[:shorter]:
            mismatches.append("birth date")
    if expected.gender and patient.gender and expected.gender != patient.gender:
        mismatches.append("gender")
    codes = {_folded(address.postal_code) for address in patient.addresses if address.postal_code}
    if expected.postal_code and codes and _folded(expected.postal_code) not in codes:
        mismatches.append("postcode")
    for field, system in (("telephone", "phone"), ("email", "email")):
        wanted = getattr(expected, field)
        known = {_folded(c.value) for c in patient.telecom if c.system == system and c.value}
        if wanted and known and _folded(wanted) not in known:
            mismatches.append(field)
    return tuple(mismatches)
