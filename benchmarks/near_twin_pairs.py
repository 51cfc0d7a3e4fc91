"""Pairs of a traced person and what a system holds: the same person with realistic noise, or somebody alarmingly like.

The same at every run of one seed. Nothing of the matching rules is used here: what a pair is, it is by how it was made.
Three sorts are made. `same`: one person, and the system's record has the slips that records have. `other`: two people,
and something in number, date of birth, family name or birth order shows it. `unseen`: two people, and nothing of those
shows it, because the system has filed one under the other's number and everything else agrees or is vouched for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from mpftconnect.model import HumanName, Identifier, PartialDate, Patient, Source, nhs_number

__all__ = ["KINDS", "Pair", "pairs"]

Sort = Literal["same", "other", "unseen"]
FETCHED = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)

_FAMILIES = (
    *("Okonjo", "Smith", "Smyth", "Bell", "Bell-Okonjo", "Khan", "Ahmed", "MacDonald", "McDonald", "Macdonald"),
    *("O'Hare", "O’Neill", "Núñez", "Muller", "Müller", "Sørensen", "De Souza", "van der Berg", "Li", "Lee", "Le"),
    *("Kowalska", "Kowalski", "Singh", "Kaur", "Jones", "Smith Jones", "St. John", "Evans", "Patel", "Hussain"),
)
_GIVEN = (
    *("Ada", "Anna", "Boris", "Calantha", "Calanthe", "Dai", "Esme", "Farid", "Grace", "Hana", "Idris", "Jocasta"),
    *("Kwame", "Li", "Mair", "Noor", "Olu", "Priya", "Quentin", "Rhys", "Sunita", "Tariq", "Una", "Wei", "Zofia"),
)
# In Devanagari a vowel sign alone tells these apart.
_DEVANAGARI = ("\u0915\u093f\u0930\u0923", "\u0915\u093e\u0930\u0923", "\u0915\u0941\u0930\u0923")


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair.

    Args:
        kind: How it was made.
        sort: What it is.
        found: The person as a system holds them.
        traced: The person as the tracing service has them.
        numbers: The numbers that the tracing service gives for the traced person.
    """

    kind: str
    sort: Sort
    found: Patient
    traced: Patient
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Person:
    """A person before anybody wrote them down."""

    number: str
    born: str | None
    family: str
    given: str
    gender: str
    former: str | None = None
    previous: str | None = None
    known_as: str | None = None
    order: int | None = None


class _Chance(random.Random):
    def person(self) -> _Person:
        born = date(1925, 1, 1) + timedelta(days=self.randrange(100 * 365))
        return _Person(
            self.number(),
            born.isoformat(),
            self.choice(_FAMILIES),
            self.choice(_GIVEN),
            self.choice(("female", "male")),
        )

    def number(self) -> str:
        """A valid NHS number of the 999 range, whose check digit fits."""
        while True:
            nine = f"999{self.randrange(1_000_000):06}"
            check = (11 - sum(int(d) * w for d, w in zip(nine, range(10, 1, -1), strict=True)) % 11) % 11
            if check < 10:
                return nhs_number(f"{nine}{check}")

    def other_than(self, known: str, names: tuple[str, ...]) -> str:
        """A name that is another name, and not the same one written otherwise."""
        return self.choice([name for name in names if _bare(name) != _bare(known)])

    def status(self, *codes: str | None) -> str | None:
        return self.choice(codes)


def _bare(name: str) -> str:
    for mark, plain in (("ü", "u"), ("ú", "u"), ("ñ", "n"), ("’", ""), ("'", ""), ("-", ""), (" ", ""), (".", "")):
        name = name.lower().replace(mark, plain)
    return name


def _record(
    person: _Person,
    system: str,
    *,
    number: str | None = "",
    born: str | None = "",
    family: str | None = "",
    given: str | None = "",
    status: str | None = None,
    more: tuple[Identifier, ...] = (),
    names: tuple[HumanName, ...] | None = None,
    order: int | None = None,
) -> Patient:
    """What a system writes of a person; an empty text means: as it is."""
    own = person.number if number == "" else number
    told = person.born if born == "" else born
    name = HumanName(
        use="usual",
        family=person.family if family == "" else family,
        given=(person.given,) if given == "" else (given,) if given else (),
    )
    return Patient(
        source=Source(system=system, id="Patient/1", fetched=FETCHED),
        identifiers=(*((Identifier.nhs(own, status),) if own else ()), *more),
        names=(name,) if names is None else names,
        birth_date=PartialDate(told) if told else None,
        gender=person.gender,
        multiple_birth=order,
    )


def _traced(person: _Person) -> Patient:
    names = [HumanName(use="usual", family=person.family, given=(person.given,))]
    if person.previous:
        names.append(HumanName(use="old", family=person.previous, given=(person.given,)))
    if person.known_as:
        names.append(HumanName(use="nickname", family=person.known_as, given=(person.given,)))
    former = (Identifier.nhs(person.former).model_copy(update={"use": "old"}),) if person.former else ()
    return _record(person, "pds", names=tuple(names), more=former, order=person.order)


def _pair(kind: str, sort: Sort, person: _Person, found: Patient) -> Pair:
    numbers = {person.number} | ({person.former} if person.former else set())
    return Pair(kind, sort, found, _traced(person), frozenset(numbers))


def _written_otherwise(family: str, chance: _Chance) -> str:
    ways: tuple[Callable[[str], str], ...] = (
        str.upper,
        str.lower,
        lambda name: name.replace("-", " "),
        lambda name: name.replace("'", "’").replace(" ", "-"),
        lambda name: name.replace("ü", "u").replace("ñ", "n").replace("ú", "u"),
        lambda name: f" {name} ",
    )
    return chance.choice(ways)(family)


def _with_a_slip(family: str, chance: _Chance) -> str:
    at = chance.randrange(len(family))
    slips = (
        family[:at] + family[at + 1 :],
        family[:at] + chance.choice("aeinrst") + family[at:],
        family[: at + 1] + family[at] + family[at + 1 :],
    )
    slip = chance.choice(slips)
    return slip if _bare(slip) and _bare(slip) != _bare(family) else family + "e"


def _swapped(born: str) -> str | None:
    year, month, day = born.split("-")
    return f"{year}-{day}-{month}" if int(day) <= 12 and day != month else None


def _shifted(born: str, chance: _Chance) -> str:
    return (date.fromisoformat(born) + timedelta(days=chance.choice((-366, -30, -1, 1, 10, 365)))).isoformat()


# One person


def _plainly_the_same(c: _Chance) -> Pair:
    who = c.person()
    return _pair("same, as traced", "same", who, _record(who, "rio", status=c.status(None, "01", "02")))


def _same_written_otherwise(c: _Chance) -> Pair:
    who = c.person()
    family = _written_otherwise(who.family, c)
    return _pair(
        "same, name in other letters", "same", who, _record(who, "rio", family=family, status=c.status(None, "02"))
    )


def _married(c: _Chance) -> Pair:
    who = c.person()
    who = replace(who, previous=c.other_than(who.family, _FAMILIES))
    return _pair("same, former name known to the trace", "same", who, _record(who, "rio", family=who.previous))


def _known_as(c: _Chance) -> Pair:
    who = c.person()
    who = replace(who, known_as=c.other_than(who.family, _FAMILIES))
    return _pair("same, known-as name", "same", who, _record(who, "rio", family=who.known_as))


def _changed_unknown(c: _Chance) -> Pair:
    who = c.person()
    found = _record(who, "rio", family=c.other_than(who.family, _FAMILIES), status=c.status("01", "01", "01", None))
    return _pair("same, changed name unknown to the trace", "same", who, found)


def _hyphenated(c: _Chance) -> Pair:
    who = c.person()
    family = f"{who.family}-{c.other_than(who.family, _FAMILIES)}"
    return _pair(
        "same, double-barrelled in one", "same", who, _record(who, "rio", family=family, status=c.status("01", None))
    )


def _misspelt(c: _Chance) -> Pair:
    who = c.person()
    found = _record(who, "rio", family=_with_a_slip(who.family, c), status=c.status("01", "01", "01", "02"))
    return _pair("same, name misspelt", "same", who, found)


def _superseded(c: _Chance) -> Pair:
    who = replace(c.person(), former=c.number())
    return _pair("same, under a former number", "same", who, _record(who, "rio", number=who.former))


def _both_numbers(c: _Chance) -> Pair:
    who, former = c.person(), c.number()
    old = Identifier.nhs(former).model_copy(update={"use": "old"})
    return _pair("same, the source states a former number too", "same", who, _record(who, "rio", more=(old,)))


def _unknown_former(c: _Chance) -> Pair:
    who = c.person()
    return _pair("same, under a former number that nobody states", "same", who, _record(who, "rio", number=c.number()))


def _no_birth_date(c: _Chance) -> Pair:
    who = c.person()
    born = c.choice((None, (who.born or "")[:4], (who.born or "")[:7]))
    return _pair("same, date of birth missing or partial", "same", who, _record(who, "rio", born=born, status="01"))


def _birth_date_slip(c: _Chance) -> Pair:
    who = c.person()
    assert who.born
    born = _swapped(who.born) or _shifted(who.born, c)
    return _pair("same, date of birth exchanged or mistyped", "same", who, _record(who, "rio", born=born, status="01"))


def _no_name(c: _Chance) -> Pair:
    who = c.person()
    found = _record(who, "rio", names=(), status=c.status("01", "01", None))
    return _pair("same, no name held", "same", who, found)


def _twin_right(c: _Chance) -> Pair:
    who = replace(c.person(), order=c.choice((1, 2, 3)))
    return _pair("same, one of twins under the right number", "same", who, _record(who, "rio", order=who.order))


# Two people


def _sibling(who: _Person, c: _Chance) -> _Person:
    gender = c.choice(("female", "male"))
    return replace(who, number=c.number(), given=c.other_than(who.given, _GIVEN), gender=gender)


def _twin(c: _Chance) -> Pair:
    who = replace(c.person(), order=c.choice((None, 1, 2)))
    return _pair("twin, own number", "other", who, _record(_sibling(who, c), "rio", status=c.status("01", None)))


def _father(c: _Chance) -> Pair:
    who = c.person()
    assert who.born
    born = f"{int(who.born[:4]) - c.randrange(17, 45)}{who.born[4:]}".replace("-02-29", "-02-28")
    return _pair(
        "father and son, own numbers",
        "other",
        who,
        _record(replace(who, number=c.number(), born=born), "rio", status="01"),
    )


def _namesake(c: _Chance) -> Pair:
    who = c.person()
    return _pair(
        "namesake born on the day, own number",
        "other",
        who,
        _record(replace(who, number=c.number()), "rio", status="01"),
    )


def _transposed(c: _Chance) -> Pair:
    """Somebody whose number is a slip of the pen away."""
    who = c.person()
    near = [
        digits
        for at in range(3, 9)
        for digits in (_transpose(who.number, at), _step(who.number, at))
        if digits != who.number and _is_valid(digits)
    ]
    number = c.choice(near) if near else c.number()
    return _pair(
        "number with digits exchanged or mistyped", "other", who, _record(_sibling(who, c), "rio", number=number)
    )


def _transpose(number: str, at: int) -> str:
    return number[:at] + number[at + 1] + number[at] + number[at + 2 :]


def _step(number: str, at: int) -> str:
    changed = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 : 9]
    check = (11 - sum(int(d) * w for d, w in zip(changed, range(10, 1, -1), strict=True)) % 11) % 11
    return f"{changed}{check}"


def _is_valid(number: str) -> bool:
    return len(number) == 10 and (
        (11 - sum(int(d) * w for d, w in zip(number[:9], range(10, 1, -1), strict=True)) % 11) % 11 == int(number[9])
    )


def _no_number(c: _Chance) -> Pair:
    who = c.person()
    number = Identifier.nhs(who.number).model_copy(update={"use": "old"})
    more = (number,) if c.random() < 0.5 else ()
    return _pair(
        "twin without a current number", "other", who, _record(_sibling(who, c), "rio", number=None, more=more)
    )


def _wrong_number_other_day(c: _Chance) -> Pair:
    """The system has filed a relative of the same name under this person's number."""
    who = c.person()
    assert who.born
    born = c.choice((_shifted(who.born, c), _swapped(who.born) or _shifted(who.born, c)))
    other = replace(_sibling(who, c), number=who.number, born=born)
    return _pair("relative under the wrong number", "other", who, _record(other, "rio", status=c.status("01", None)))


def _wrong_number_partial_day(c: _Chance) -> Pair:
    """As above, and neither side knows more than the year or the month, or anything at all."""
    who = c.person()
    part = c.choice(((who.born or "")[:4], (who.born or "")[:7], None))
    other = replace(_sibling(who, c), number=who.number)
    found = _record(other, "rio", born=part, status=c.status("01", None))
    pair = _pair("relative under the wrong number, date of birth partial on both sides", "other", who, found)
    return replace(pair, traced=pair.traced.model_copy(update={"birth_date": PartialDate(part) if part else None}))


def _wrong_number_other_name(c: _Chance) -> Pair:
    """A stranger born on the day, filed under this person's number; the number was not verified."""
    who = c.person()
    other = replace(_sibling(who, c), number=who.number, family=c.other_than(who.family, _FAMILIES))
    status = c.status(None, "02", "03", "04", "05", "06", "07", "08")
    return _pair("stranger born on the day, under the wrong number", "other", who, _record(other, "rio", status=status))


def _wrong_number_like_name(c: _Chance) -> Pair:
    """As above, with a name that a lenient comparison takes for the same: a part, a prefix, a vowel, a sign."""
    who = c.person()
    ours, theirs = c.choice(
        (
            ("Smith", "Smith-Jones"), ("Bell-Okonjo", "Okonjo"), ("MacDonald", "McDonald"), ("Smith", "Smyth"),
            ("Kowalska", "Kowalski"), ("O'Hare", "Hare"), ("Li", "Le"), ("Sørensen", "Sorensen"), ("Müller", "Mueller"),
            (_DEVANAGARI[0], _DEVANAGARI[1]), (_DEVANAGARI[1], _DEVANAGARI[2]),
        )
    )  # fmt: skip
    if c.random() < 0.5:
        ours, theirs = theirs, ours
    who = replace(who, family=ours)
    other = replace(_sibling(who, c), number=who.number, family=theirs)
    return _pair(
        "stranger of a similar name, under the wrong number",
        "other",
        who,
        _record(other, "rio", status=c.status(None, "02")),
    )


def _wrong_number_no_name(c: _Chance) -> Pair:
    who = c.person()
    other = replace(_sibling(who, c), number=who.number)
    names = c.choice(((), (HumanName(text="Unknown"),), (HumanName(family="-"),)))
    return _pair("stranger without a name, under the wrong number", "other", who, _record(other, "rio", names=names))


def _pseudonym(c: _Chance) -> Pair:
    """Two people under one alias, which is nobody's name."""
    who = c.person()
    alias = HumanName(use="anonymous", family="Doe")
    other = replace(_sibling(who, c), number=who.number, family=c.other_than(who.family, _FAMILIES))
    own = HumanName(use="usual", family=other.family, given=(other.given,))
    pair = _pair(
        "stranger under the same alias and the wrong number", "other", who, _record(other, "rio", names=(own, alias))
    )
    return replace(pair, traced=pair.traced.model_copy(update={"names": (*pair.traced.names, alias)}))


def _mixed_up(c: _Chance) -> Pair:
    """A record into which two people's were merged by mistake: it carries both numbers, and it is the other's."""
    who = c.person()
    other = _sibling(who, c)
    both = [Identifier.nhs(other.number, c.status("01", None)), Identifier.nhs(who.number, c.status("01", None))]
    c.shuffle(both)
    return _pair(
        "twin's record that carries both numbers", "other", who, _record(other, "rio", number=None, more=tuple(both))
    )


def _twin_wrong(c: _Chance) -> Pair:
    """A twin filed under the other's number, and one side knows that they are twins."""
    who = replace(c.person(), order=c.choice((2, 3)))
    other = replace(_sibling(who, c), number=who.number)
    if c.random() < 0.5:
        who, order = replace(who, order=1), 2
        return _pair(
            "twin under the other's number, twins known", "other", who, _record(other, "rio", order=order, status="01")
        )
    return _pair(
        "twin under the other's number, twins known", "other", who, _record(other, "rio", status=c.status("01", None))
    )


# Two people, and nothing that the rules look at shows it


def _twin_unseen(c: _Chance) -> Pair:
    who = replace(c.person(), order=c.choice((None, 1)))
    other = replace(_sibling(who, c), number=who.number)
    return _pair(
        "twin under the other's number, twins not known",
        "unseen",
        who,
        _record(other, "rio", status=c.status("01", None)),
    )


def _vouched_for(c: _Chance) -> Pair:
    who = c.person()
    other = replace(_sibling(who, c), number=who.number, family=c.other_than(who.family, _FAMILIES))
    return _pair(
        "stranger born on the day, under a wrong number that the source calls verified",
        "unseen",
        who,
        _record(other, "rio", status="01"),
    )


# How often each is made, as a part of all. Among those of one person the weights follow what is common: most records
# agree; names that differ come next; slips in dates and numbers are rare. The rest is weighed to try every rule often.
KINDS: tuple[tuple[int, Callable[[_Chance], Pair]], ...] = (
    (240, _plainly_the_same), (60, _same_written_otherwise), (30, _married), (20, _known_as), (20, _changed_unknown),
    (20, _hyphenated), (20, _misspelt), (15, _superseded), (10, _both_numbers), (3, _unknown_former),
    (7, _no_birth_date), (10, _birth_date_slip), (5, _no_name), (10, _twin_right),
    (60, _twin), (60, _father), (40, _namesake), (50, _transposed), (20, _no_number), (50, _wrong_number_other_day),
    (30, _wrong_number_partial_day), (50, _wrong_number_other_name), (50, _wrong_number_like_name),
    (20, _wrong_number_no_name), (20, _pseudonym), (40, _mixed_up), (30, _twin_wrong),
    (5, _twin_unseen), (5, _vouched_for),
)  # fmt: skip


def pairs(count: int, seed: int = 2026) -> Iterator[Pair]:
    """So many pairs, of every kind, the same for the same seed."""
    chance = _Chance(seed)
    weights, makers = zip(*KINDS, strict=True)
    for _ in range(count):
        [make] = chance.choices(makers, weights=weights)
        yield make(chance)
