"""Whether what a system holds under a number is about the same person (rule 4). The one place of agreement rules.

A contribution joins when the NHS number (current or former) *and* the full date of birth agree with the trace, *and*
either a current, previous or known-as family name agrees or the source states verification status 01 ("number
present and verified"). Otherwise it is set apart. The number alone never joins anything but what an index without
demographics files under the number that the tracing service gave (`match_by_number`), and nothing is guessed: no
spelling, no part of a name, no date of which day and month are exchanged. `RULES` is the table; the first of them that
holds decides. docs/matching.md shows it, and a test holds the page against it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import Demographics, HumanName, Patient, nhs_number

__all__ = ["RULES", "Match", "Rule", "agreeing", "compare", "family_names", "given_names", "match", "match_by_number"]


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a contribution joins, by which rule, and the rule in words."""

    joins: bool
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class _Compared:
    """A system's patient beside the traced one."""

    found: Patient
    traced: Patient
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Args:
        code: Permanent: `Joined.rule` or `Unmatched.reason`.
        when: The condition in words, for the page.
        text: What the reader is told; never a value.
        holds: The condition.
    """

    code: str
    joins: bool
    when: str
    text: str
    holds: Callable[[_Compared], bool]


def match(found: Patient, traced: Patient, numbers: Collection[str]) -> Match:
    """Compare a system's patient with the traced one.

    Args:
        found: The person as the system knows them.
        traced: The person as the tracing service knows them.
        numbers: The current and former NHS numbers of the traced person.
    """
    compared = _Compared(found, traced, frozenset(numbers))
    decided = next(rule for rule in RULES if rule.holds(compared))
    return Match(decided.joins, decided.code, decided.text)


_BY_NUMBER = {
    "number-differs": "the source gives another NHS number",
    "traced-number": (
        "the source keeps no demographics; it files this under the NHS number that the tracing service gave"
    ),
    "number-not-traced": "the source keeps no demographics, and the tracing service did not confirm the NHS number",
}


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
    return Match(rule == "traced-number", rule, _BY_NUMBER[rule])


def agreeing(found: Collection[Patient], number: str) -> bool:
    """Whether all of these agree with one another, where no trace can arbitrate."""
    # Each with each: two who agree with a third may yet disagree with one another, whoever came first.
    return all(match(one, other, {number}).joins for one in found for other in found)


# Names


def family_names(patient: Patient) -> frozenset[str]:
    """Family names of all uses (current, previous, known as), folded: see `_folded`.

    A name of use `anonymous` is nobody's, so it is left out.

    >>> from datetime import UTC, datetime
    >>> from mpftconnect.model import Source
    >>> source = Source(system="s", id="1", fetched=datetime.now(UTC))
    >>> sorted(family_names(Patient(source=source, names=(HumanName(family="O'Brien-Núñez"),))))
    ['obriennunez']
    """
    return frozenset(folded for name in _own_names(patient) if name.family and (folded := _folded(name.family)))


def given_names(patient: Patient) -> frozenset[str]:
    """Given names of all uses, each by itself, folded."""
    parts = (part for name in _own_names(patient) for text in name.given for part in text.split())
    return frozenset(folded for part in parts if (folded := _folded(part)))


def _own_names(patient: Patient) -> Iterable[HumanName]:
    return (name for name in patient.names if name.use != "anonymous")


# Hyphens and dashes, apostrophes and their look-alikes, full stops: written or left out at will.
_LEFT_OUT = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2212'\u2018\u2019\u02bc\u02b9\u0060\u00b4\u2032.")


def _folded(text: str) -> str:
    """A name without letter case, spaces, hyphens, apostrophes, full stops, and the accents of Latin letters.

    Marks of other scripts stay: without its vowel signs one name written in Devanagari becomes another. Letters that
    only look like an accented one stay too (ø, ł, đ): how they are rewritten differs from place to place.
    """
    kept: list[str] = []
    latin = False
    for letter in unicodedata.normalize("NFKD", text.casefold()):
        if unicodedata.combining(letter):
            if not latin:
                kept.append(letter)
            continue
        latin = unicodedata.name(letter, "").startswith("LATIN")
        if not letter.isspace() and letter not in _LEFT_OUT:
            kept.append(letter)
    return "".join(kept)


# Conditions


def _number(text: str | None) -> str | None:
    """The number without separators; None for what is none, which can be nobody's."""
    try:
        return nhs_number(text or "")
    except NotAnNhsNumber:
        return None


def _current(patient: Patient) -> dict[str, bool]:
    """The NHS numbers that the source gives as current, and whether it states that it verified each."""
    stated: dict[str, bool] = {}
    for identifier in patient.identifiers:
        if identifier.is_nhs_number and identifier.use != "old" and (number := _number(identifier.value)):
            stated[number] = stated.get(number, False) or identifier.verification_status == "01"
    return stated


def _states_a_number(compared: _Compared) -> bool:
    return bool(_current(compared.found))


def _number_agrees(compared: _Compared) -> bool:
    current = _current(compared.found)
    return not current or any(number in compared.numbers for number in current)


def _is_one_person(compared: _Compared) -> bool:
    """Two current numbers of which one is not this person's: the source may have mixed two people's records."""
    ours = [number in compared.numbers for number in _current(compared.found)]
    return all(ours) or not any(ours)


def _birth_dates_are_full(compared: _Compared) -> bool:
    dates = (compared.found.birth_date, compared.traced.birth_date)
    return all(date is not None and date.precision == "day" for date in dates)


def _birth_dates_agree(compared: _Compared) -> bool:
    return compared.found.birth_date == compared.traced.birth_date


def _family_names_are_stated(compared: _Compared) -> bool:
    return bool(family_names(compared.found) and family_names(compared.traced))


def _family_names_agree(compared: _Compared) -> bool:
    return bool(family_names(compared.found) & family_names(compared.traced))


def _is_verified(compared: _Compared) -> bool:
    return any(verified for number, verified in _current(compared.found).items() if number in compared.numbers)


def _is_told_from_a_twin(compared: _Compared) -> bool:
    """Of a multiple birth all but the given name may be the same: given names that are stated must not all differ."""
    if not any(_is_of_a_multiple_birth(patient) for patient in (compared.found, compared.traced)):
        return True
    ours, theirs = given_names(compared.traced), given_names(compared.found)
    return not (ours and theirs) or bool(ours & theirs)


def _is_of_a_multiple_birth(patient: Patient) -> bool:
    """Whether the patient is stated to be one of several, or not the first born.

    FHIR R4 (4.0.1), Patient.multipleBirth[x]; PDS FHIR API, components/schemas/MultipleBirthOrder.yaml: 1 is "the first
    or only birth", so it tells nothing; 8 is not applicable and 9 not known.
    """
    order = patient.multiple_birth
    return order if isinstance(order, bool) else order is not None and 2 <= order <= 7


RULES: tuple[Rule, ...] = (
    Rule(
        "number-not-stated",
        False,
        "the source gives no current NHS number",
        "the source gives no current NHS number that could be compared",
        lambda c: not _states_a_number(c),
    ),
    Rule(
        "number-differs",
        False,
        "none of the current NHS numbers that it gives is this person's, current or former",
        "the source gives another NHS number",
        lambda c: not _number_agrees(c),
    ),
    Rule(
        "number-ambiguous",
        False,
        "beside this person's it gives another as current",
        "the source gives two current NHS numbers, so it may have mixed the records of two people",
        lambda c: not _is_one_person(c),
    ),
    Rule(
        "birth-date-not-stated",
        False,
        "the date of birth is not stated in full on both sides",
        "the date of birth is not stated in full, so it cannot be compared",
        lambda c: not _birth_dates_are_full(c),
    ),
    Rule(
        "birth-date-differs",
        False,
        "the dates of birth differ in any way, exchanged day and month included",
        "the date of birth differs from the tracing service's",
        lambda c: not _birth_dates_agree(c),
    ),
    Rule(
        "twin-not-told-apart",
        False,
        "one side says that the person is one of a multiple birth, both state given names and none agrees",
        "the person is one of a multiple birth and no given name agrees, so this may be about the twin",
        lambda c: not _is_told_from_a_twin(c),
    ),
    Rule(
        "number-birth-date-name",
        True,
        "a family name of any use agrees",
        "NHS number, date of birth and family name agree with the tracing service",
        lambda c: _family_names_agree(c),
    ),
    Rule(
        "number-birth-date-verified",
        True,
        "no family name agrees, and the source states verification status 01 for the number",
        "NHS number and date of birth agree with the tracing service, and the source states that it verified the "
        "number",
        lambda c: _is_verified(c),
    ),
    Rule(
        "family-name-not-stated",
        False,
        "no family name is stated on one side",
        "no family name can be compared, and the source does not say that it verified the number",
        lambda c: not _family_names_are_stated(c),
    ),
    Rule(
        "family-name-differs",
        False,
        "family names are stated and none agrees",
        "the family name differs, and the source does not say that it verified the number",
        lambda c: True,
    ),
)


def compare(expected: Demographics, patient: Patient) -> tuple[str, ...]:
    """The fields in which what the user had in front of them differs from the record; no values.

    What either side does not state is not a mismatch, nor is a gender that is `unknown`. Names are compared as in
    matching; of several given names one is enough. Partial dates are compared as far as both go.

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
    given, wanted_given = given_names(patient), {_folded(part) for text in expected.given for part in text.split()}
    if wanted_given and given and not wanted_given & given:
        mismatches.append("given name")
    if expected.birth_date and patient.birth_date:
        ours, theirs = expected.birth_date.text, patient.birth_date.text
        shorter = min(len(ours), len(theirs))
        if ours[:shorter] != theirs[:shorter]:
            mismatches.append("birth date")
    genders = {expected.gender, patient.gender} - {None, "", "unknown"}
    if len(genders) > 1:
        mismatches.append("gender")
    codes = {_plain(address.postal_code) for address in patient.addresses if address.postal_code}
    if expected.postal_code and codes and _plain(expected.postal_code) not in codes:
        mismatches.append("postcode")
    for field, system, form in (("telephone", "phone", _digits), ("email", "email", _plain)):
        wanted = getattr(expected, field)
        known = {form(c.value) for c in patient.telecom if c.system == system and c.value}
        if wanted and known and form(wanted) not in known:
            mismatches.append(field)
    return tuple(mismatches)


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _digits(text: str) -> str:
    """A telephone number as it is dialled in the United Kingdom: +44 and 0044 stand for 0."""
    plain = "".join(letter for letter in text if letter.isdigit() or letter == "+")
    for abroad in ("+44", "0044"):
        if plain.startswith(abroad):
            return "0" + plain.removeprefix(abroad).removeprefix("0")
    return plain
