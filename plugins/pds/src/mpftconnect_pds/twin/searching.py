"""The search of PDS: which parameters it takes, whom it finds, and how well they match.

Source: PDS FHIR API specification, components/paths/patient-search.yaml and the query parameters in
personal-demographics.yaml. Two things are not published and are ours: the score of a partial match (here: the
share of parameters that match the current record exactly), and which code a badly placed wildcard gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mpftconnect.adapters import TwinRequest
from mpftconnect.model import HumanName, Patient, When
from mpftconnect_pds.outcomes import PdsCode
from mpftconnect_pds.twin.refusals import Refused

__all__ = ["AccessMode", "Query", "match", "parse"]

AccessMode = str
_FLAGS = ("_fuzzy-match", "_exact-match", "_history")
_POSTCODES = ("address-postalcode", "address-postcode")
_DATES = ("birthdate", "death-date")
_KNOWN = {
    *(*_FLAGS, *_POSTCODES, *_DATES, "_max-results", "family", "given", "gender"),
    *("general-practitioner", "email", "phone"),
}
_GENDERS = ("male", "female", "other", "unknown")
_LONGEST_NAME = 35
_MOST_RESULTS = 50
# A fuzzy search needs one of these combinations; a non-fuzzy one the family name and the date of birth.
_FUZZY_COMBINATIONS = (
    {"given", "family", "birthdate"},
    {"family", "birthdate", "gender", "postcode"},
    {"given", "birthdate", "gender", "postcode"},
)


@dataclass(frozen=True, slots=True)
class _Range:
    """Dates from and until, both included, as ISO text; None is open."""

    start: str | None = None
    end: str | None = None

    def holds(self, day: str) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Query:
    """A search that PDS accepts."""

    max_results: int
    family: str | None = None
    given: tuple[str, ...] = ()
    gender: str | None = None
    born: _Range = field(default_factory=_Range)
    died: _Range | None = None
    postcode: str | None = None
    practice: str | None = None
    email: str | None = None
    phone: str | None = None
    fuzzy: bool = False
    exact: bool = False
    history: bool = False


def parse(request: TwinRequest, access: AccessMode) -> Query:
    """The search that a request asks for.

    Raises:
        Refused: As the specification's table of `4XX` has it.
    """
    if not request.query:
        raise Refused(PdsCode.UNSUPPORTED_SERVICE)
    if unknown := sorted({name for name, _ in request.query} - _KNOWN):
        names = ", ".join(f"'{name}'" for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise Refused(
            PdsCode.ADDITIONAL_PROPERTIES,
            f"Invalid request with error - Additional properties are not allowed ({names} {verb} unexpected)",
        )
    flags = {name: _flag(request, name) for name in _FLAGS}
    limit = _max_results(request, access)
    gender = request.first("gender")
    if gender is not None and gender not in _GENDERS:
        raise _invalid("gender", gender)
    ranges = {name: _range(name, request.all(name)) for name in _DATES}
    if all(request.first(name) is not None for name in _POSTCODES):
        raise _unsearchable("address-postcode and address-postalcode cannot be used together")
    born = ranges["birthdate"]
    if born is None:
        raise Refused(PdsCode.MISSING_VALUE, "Missing value - 'birth_date/birth_date_range_start/birth_date_range_end'")
    query = Query(
        max_results=limit,
        family=_name(request, "family"),
        given=tuple(_checked("given", given) for given in request.all("given")),
        gender=gender,
        born=born,
        died=ranges["death-date"],
        postcode=request.first(_POSTCODES[0]) or request.first(_POSTCODES[1]),
        practice=request.first("general-practitioner"),
        email=request.first("email"),
        phone=request.first("phone"),
        fuzzy=flags["_fuzzy-match"],
        exact=flags["_exact-match"],
        history=flags["_history"] or flags["_fuzzy-match"],
    )
    _check_combination(query)
    return query


def _check_combination(query: Query) -> None:
    texts = {"family": query.family, "postcode": query.postcode, "given": query.given[0] if query.given else None}
    present = {name for name, text in texts.items() if text} | {"birthdate"}
    present |= {"gender"} if query.gender else set()
    enough = any(needed <= present for needed in _FUZZY_COMBINATIONS) if query.fuzzy else "family" in present
    if not enough:
        raise _unsearchable("No searches were performed as the search criteria did not meet the minimum requirements")
    for name, text in texts.items():
        if text and "*" in text:
            if query.fuzzy:
                raise _unsearchable("Wildcards cannot be used with a fuzzy search")
            if "*" in text[:2]:
                raise _invalid(name, text)


def _flag(request: TwinRequest, name: str) -> bool:
    text = request.first(name)
    if text not in (None, "true", "false"):
        raise _invalid(name, text)
    return text == "true"


def _max_results(request: TwinRequest, access: AccessMode) -> int:
    most = 1 if access == "application-restricted" else _MOST_RESULTS
    text = request.first("_max-results")
    if text is None:
        return most
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= _MOST_RESULTS:
        raise _invalid("_max-results", text)
    if int(text) > most:
        raise Refused(
            PdsCode.INVALID_VALUE,
            "Your app has insufficient permissions to perform this search. Please contact support.",
            status=403,
            display="Cannot retrieve more than one result with Application Restricted access token",
        )
    return int(text)


def _name(request: TwinRequest, name: str) -> str | None:
    text = request.first(name)
    return None if text is None else _checked(name, text)


def _checked(name: str, text: str) -> str:
    if not 0 < len(text) <= _LONGEST_NAME:
        raise _invalid(name, text)
    return text


def _range(name: str, texts: Sequence[str]) -> _Range | None:
    if not texts:
        return None
    start: str | None = None
    end: str | None = None
    for text in texts:
        found = re.fullmatch(r"(eq|ge|le)?(\d{4}-\d{2}-\d{2})", text, re.ASCII)
        try:
            day = date.fromisoformat(found[2]).isoformat() if found else None
        except ValueError:
            day = None
        if found is None or day is None or len(texts) > 2:
            raise _invalid(name, text)
        start = day if found[1] != "le" else start
        end = day if found[1] != "ge" else end
    return _Range(start, end)


def _invalid(name: str, text: str | None) -> Refused:
    return Refused(PdsCode.INVALID_VALUE, f"Invalid value - '{text}' in field '{name}'")


def _unsearchable(why: str) -> Refused:
    return Refused(PdsCode.INVALID_SEARCH_DATA, f"Invalid search data provided - '{why}'")


def match(query: Query, patient: Patient) -> float | None:
    """How well the person matches, from 0 to 1; None if not at all.

    A restricted person is never found by postcode or practice (patient-search.yaml, "Restricted patients").
    """
    restricted = patient.restriction in ("R", "V")
    if restricted and (query.postcode or query.practice):
        return None
    marks: list[bool] = []
    for outcome in _outcomes(query, patient):
        if outcome is None:
            return None
        marks.append(outcome)
    score = round(sum(marks) / len(marks), 4)
    return score if score == 1 or not query.exact else None


def _outcomes(query: Query, patient: Patient) -> Iterator[bool | None]:
    """Of each parameter: True, it matches exactly; False, it matches, but not exactly; None, it does not."""
    current = [name for name in patient.names if name.use not in ("old", "maiden")]
    former = [name for name in patient.names if name.use in ("old", "maiden")] if query.history else []
    yield _among([patient.birth_date.text if patient.birth_date else ""], [], query.born.holds)
    if query.fuzzy and query.family and query.given:
        yield _fuzzy_name(query, current, former)
    else:
        if query.family:
            yield _text(query.family, *_families(current, former), fuzzy=query.fuzzy)
        for index, given in enumerate(query.given):
            yield _text(given, *_givens(current, former, index), fuzzy=query.fuzzy)
    if query.gender:
        yield True if patient.gender == query.gender else None
    # For a fuzzy search the date of death and the practice only count in the score.
    mismatch = False if query.fuzzy else None
    if query.died:
        day = patient.deceased.date_text if isinstance(patient.deceased, When) else ""
        yield True if day and query.died.holds(day) else mismatch
    if query.practice:
        practices = [actor.organization_code or "" for actor in patient.general_practitioner]
        yield _text(query.practice.replace("*", ""), practices, []) or mismatch
    if query.postcode:
        codes = [_squeezed(address.postal_code or "") for address in patient.addresses if address.use != "old"]
        old = [_squeezed(address.postal_code or "") for address in patient.addresses if address.use == "old"]
        yield _text(_squeezed(query.postcode), codes, old if query.history else [])
    for system, wanted in (("email", query.email), ("phone", query.phone)):
        if wanted:
            values = [_squeezed(point.value or "") for point in patient.telecom if point.system == system]
            yield True if _squeezed(wanted) in values else None


def _families(current: list[HumanName], former: list[HumanName]) -> tuple[list[str], list[str]]:
    return [name.family or "" for name in current], [name.family or "" for name in former]


def _givens(current: list[HumanName], former: list[HumanName], index: int) -> tuple[list[str], list[str]]:
    def at(names: list[HumanName]) -> list[str]:
        return [name.given[index] for name in names if len(name.given) > index]

    return at(current), at(former)


def _fuzzy_name(query: Query, current: list[HumanName], former: list[HumanName]) -> bool | None:
    pair = (query.given[0].casefold(), (query.family or "").casefold())
    for names, exact in ((current, True), (former, False)):
        for name in names:
            held = ((name.given or ("",))[0].casefold(), (name.family or "").casefold())
            if held == pair:
                return exact
    held_pairs = {(_soundex((name.given or ("",))[0]), _soundex(name.family or "")) for name in (*current, *former)}
    sounds = (_soundex(pair[0]), _soundex(pair[1]))
    return False if {sounds, sounds[::-1]} & held_pairs else None


def _text(wanted: str, current: list[str], former: list[str], *, fuzzy: bool = False) -> bool | None:
    if "*" in wanted:
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.casefold().split("*")))
        return False if any(pattern.fullmatch(text.casefold()) for text in (*current, *former)) else None
    outcome = _among(current, former, lambda text: text.casefold() == wanted.casefold())
    if outcome is None and fuzzy and _soundex(wanted) in {_soundex(text) for text in (*current, *former)}:
        return False
    return outcome


def _among(current: Iterable[str], former: Iterable[str], fits: Callable[[str], bool]) -> bool | None:
    if any(fits(text) for text in current if text):
        return True
    return False if any(fits(text) for text in former if text) else None


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


_SOUNDS: Mapping[str, str] = {
    letter: digit
    for letters, digit in (("bfpv", "1"), ("cgjkqsxz", "2"), ("dt", "3"), ("l", "4"), ("mn", "5"), ("r", "6"))
    for letter in letters
}


def _soundex(name: str) -> str:
    """American Soundex, which the specification names.

    >>> _soundex("Smith"), _soundex("Smythe"), _soundex("Ashcraft"), _soundex("")
    ('S530', 'S530', 'A261', '')
    """
    letters = [letter for letter in name.casefold() if "a" <= letter <= "z"]
    if not letters:
        return ""
    out, last = letters[0].upper(), _SOUNDS.get(letters[0])
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter)
        if sound and sound != last:
            out += sound
        if letter not in "hw":
            last = sound
    return out[:4].ljust(4, "0")
