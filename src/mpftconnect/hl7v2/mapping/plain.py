"""HL7 v2's data types read from plain text: what `datatypes` gives and takes of them, by a shorter way.

Plain text has no escapes, sub-components, nulls or values that are not printable (`leaves.is_plain`), as nearly all
that is sent. A reader here gets the components of one repetition, and empties those that it takes. Where `datatypes`
would keep a leaf as extra beside its value, since it cannot be written back from that, the reader takes nothing and
gives `NOT_PLAIN`: then the segment is read leaf by leaf. Tests map the same messages both ways and compare.
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.hl7v2.mapping.draft import NOT_PLAIN, Draft, Plain
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import coding_of, concept_of, concept_of_one, make_of
from mpftconnect.hl7v2.mapping.tables import ADDRESS_TYPE, ADDRESS_USE, NAME_USE, TELECOM_SYSTEM, TELECOM_USE
from mpftconnect.hl7v2.mapping.ways import DATE, Way, read_date, timed
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    Actor,
    Address,
    Concept,
    ContactPoint,
    HumanName,
    Identifier,
    nhs_number,
)

__all__ = [
    "address",
    "at",
    "coded_in",
    "concept",
    "date",
    "entity_identifier",
    "identifier",
    "joined",
    "moment",
    "name",
    "organisation",
    "person",
    "place_as",
    "telecom_of",
    "text",
    "words",
]


def at(parts: list[str], component: int) -> str:
    """What stands in a component; "" where nothing does."""
    return parts[component - 1] if component <= len(parts) else ""


def text(draft: Draft, segment: Segment, parts: list[str]) -> str | None:
    """As `datatypes.text`."""
    found, parts[0] = parts[0], ""
    return found or None


def words(draft: Draft, segment: Segment, parts: list[str]) -> str | None:
    """As `datatypes.words`."""
    for component in (9, 2, 1):
        if found := at(parts, component):
            parts[component - 1] = ""
            return found
    return None


def moment(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.moment`."""
    if not parts[0]:
        return None
    when, _, exact = timed(parts[0], draft.zone)
    if when is not None:
        if not exact:
            return NOT_PLAIN
        parts[0] = ""
    return when


def date(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.date`."""
    if not parts[0] or (found := read_date(parts[0])) is None:
        return None
    if DATE.back(found) != parts[0]:
        return NOT_PLAIN
    parts[0] = ""
    return found


def coded_in(table: tuple[Any, Way], component: int = 1) -> Plain:
    """As `datatypes.coded_in`."""

    def read(draft: Draft, segment: Segment, parts: list[str]) -> Any:
        sent = at(parts, component)
        meaning = draft.site.exact_meaning(table, sent) if sent else None
        if meaning is None:
            return None
        if not meaning:
            return NOT_PLAIN
        parts[component - 1] = ""
        return meaning

    return read


# --- codes -----------------------------------------------------------------------------------------------------


def concept(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.concept`."""
    size = len(parts)
    code = parts[0]
    if not code and size == 1:
        return None
    if " " in code and code != " ".join(code.split()):
        return NOT_PLAIN
    if size < 4:
        if not code:
            return _text_alone(parts)
        display = parts[1] if size > 1 else ""
        if size < 3 or not (name := parts[2]):
            parts[:] = [""]
            return concept_of_one(None, code, display or None, None)
        system, exact = draft.site.exact_code_system(name)
        if not exact:
            return NOT_PLAIN
        parts[:] = [""]
        return concept_of_one(system, code, display or None, None)
    return _whole_concept(draft, parts)


def _text_alone(parts: list[str]) -> Concept | None:
    if not (said := at(parts, 2)):
        return None
    parts[1] = ""
    return concept_of(said, ())


def _whole_concept(draft: Draft, parts: list[str]) -> Any:
    said = at(parts, 9) or None
    if not (parts[1] or parts[2]):
        # A bare code: whatever else is there belongs to no coding that can be read.
        if not parts[0]:
            return NOT_PLAIN
        code = parts[0]
        parts[0] = ""
        if said is None:
            return concept_of_one(None, code, None, None)
        parts[8] = ""
        return concept_of(said, (coding_of(None, code, None, None),))
    taken = [9] if said is not None else []
    codings = []
    for first, version in ((1, 7), (4, 8), (10, 13)):
        code, display = at(parts, first), at(parts, first + 1)
        if not code:
            if said is None and display:
                said = display
                taken.append(first + 1)
            continue
        if " " in code and code != " ".join(code.split()):
            return NOT_PLAIN
        taken += (first, first + 1)
        system = revision = None
        if name := at(parts, first + 2):
            system, exact = draft.site.exact_code_system(name)
            if not exact:
                return NOT_PLAIN
            taken.append(first + 2)
            if version not in taken and (revision := at(parts, version) or None):
                taken.append(version)
        codings.append((system, code, display or None, revision))
    if not codings and said is None:
        return None
    for component in taken:
        if component <= len(parts):
            parts[component - 1] = ""
    if said is None and len(codings) == 1:
        return concept_of_one(*codings[0])
    return concept_of(said, tuple([coding_of(*coding) for coding in codings]))


# --- identifiers -----------------------------------------------------------------------------------------------


def identifier(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.identifier`."""
    site, number = draft.site, parts[0]
    namespace, kind = at(parts, 4), at(parts, 5)
    if site.is_nhs(namespace, None, kind):
        try:
            known = nhs_number(number)
        except NotAnNhsNumber:
            return None
        if known != number or (namespace and site.authority_way.back(NHS_NUMBER_SYSTEM) != namespace):
            return NOT_PLAIN
        system = NHS_NUMBER_SYSTEM
    elif not number:
        return None
    elif namespace:
        system, exact = site.exact_authority(namespace)
        if not exact:
            return NOT_PLAIN
    else:
        system = site.system_of(draft.authority)
    parts[0] = ""
    if namespace:
        parts[3] = ""
    if kind:
        parts[4] = ""
    return make_of(Identifier, {"system": system, "value": number, "type": kind or None})


def entity_identifier(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.entity_identifier`."""
    number = parts[0]
    if not number:
        return None
    if namespace := at(parts, 2):
        system, exact = draft.site.exact_authority(namespace)
        if not exact:
            return NOT_PLAIN
        parts[1] = ""
    elif at(parts, 3):
        return NOT_PLAIN
    else:
        system = draft.site.system_of(draft.authority)
    parts[0] = ""
    return make_of(Identifier, {"system": system, "value": number})


# --- names, addresses, numbers to call -------------------------------------------------------------------------

_SIX: Final = [""] * 6


def name(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.name`."""
    size = len(parts)
    if size > 6:
        if size > 9 and any(parts[9:]):
            return NOT_PLAIN
        first, second, third, fourth, fifth, sixth, use = parts[:7]
    else:
        first, second, third, fourth, fifth, sixth = parts + _SIX[size:]
        use = ""
    if not (first or second or third or fourth or fifth or sixth):
        return None
    meant = None
    if use:
        meant = draft.site.exact_meaning(NAME_USE, use)
        if meant == "":
            return NOT_PLAIN
        if meant:
            parts[6] = ""
    parts[:6] = _SIX
    return make_of(
        HumanName,
        {
            "use": meant,
            "family": first or None,
            "given": ((second, third) if third else (second,)) if second else (third,) if third else (),
            "prefix": (fifth,) if fifth else (),
            "suffix": ((fourth, sixth) if sixth else (fourth,)) if fourth else (sixth,) if sixth else (),
            "period": None,
        },
    )


def address(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.address`."""
    size = len(parts)
    if size > 6:
        if size > 9 and any(parts[9:]):
            return NOT_PLAIN
        first, second, city, district, postcode, country, use = parts[:7]
    else:
        first, second, city, district, postcode, country = parts + _SIX[size:]
        use = ""
    if not (first or second or city or district or postcode or country):
        return None
    meant = sort = None
    if use:
        meant = draft.site.exact_meaning(ADDRESS_USE, use)
        if meant is None:
            sort = _exact(ADDRESS_TYPE, use)
        if meant == "" or sort == "":
            return NOT_PLAIN
        if meant or sort:
            parts[6] = ""
    parts[:6] = _SIX
    return make_of(
        Address,
        {
            "use": meant,
            "type": sort,
            "line": ((first, second) if second else (first,)) if first else (second,) if second else (),
            "city": city or None,
            "district": district or None,
            "postal_code": postcode or None,
            "country": country or None,
            "period": None,
        },
    )


def _exact(table: tuple[Any, Way], sent: str) -> str | None:
    """What a code of the standard's table means; "" where that cannot be written back as the same code."""
    meaning: str | None = table[0].get(sent)
    return "" if meaning is not None and table[1].back(meaning) != sent else meaning


def telecom_of(use: str | None) -> Plain:
    """As `datatypes.telecom_of`."""

    def read(draft: Draft, segment: Segment, parts: list[str]) -> Any:
        equipment, code = at(parts, 3), at(parts, 2)
        internet = equipment in ("Internet", "X.400") or code == "NET"
        for component in (4, 1, 12) if internet else (12, 1, 4):
            if value := at(parts, component):
                break
        else:
            return NOT_PLAIN if any(parts[5:7]) else None
        system = draft.site.exact_meaning(TELECOM_SYSTEM, equipment) if equipment else None
        meant = draft.site.exact_meaning(TELECOM_USE, code) if code else None
        if system == "" or meant == "":
            return NOT_PLAIN
        parts[component - 1] = ""
        if system:
            parts[2] = ""
        if meant:
            parts[1] = ""
        if internet or component == 4 or (system is None and "@" in value):
            system = "email"
        if equipment == "CP":
            meant = meant or "mobile"
        return make_of(ContactPoint, {"system": system or "phone", "value": value, "use": meant or use})

    return read


# --- people, organisations, places -----------------------------------------------------------------------------


def joined(parts: list[str], components: tuple[int, ...], between: str) -> str | None:
    """Several components as one text."""
    size = len(parts)
    found = []
    for component in components:
        if component <= size and (part := parts[component - 1]):
            found.append(part)
            parts[component - 1] = ""
    return between.join(found) if found else None


def person(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.person`."""
    number = parts[0]
    known = None
    if number:
        if namespace := at(parts, 9):
            system, exact = draft.site.exact_authority(namespace)
            if not exact:
                return NOT_PLAIN
            parts[8] = ""
        else:
            system = draft.site.system_of(draft.authority)
        parts[0] = ""
        known = make_of(Identifier, {"system": system, "value": number})
    called = joined(parts, (6, 3, 4, 2, 5), " ") if len(parts) > 1 else None
    return make_of(Actor, {"name": called, "identifier": known}) if known or called else None


def organisation(draft: Draft, segment: Segment, parts: list[str]) -> Any:
    """As `datatypes.organisation`, where no site says which fields hold ODS codes."""
    site = draft.site
    if site.ods_fields:
        return NOT_PLAIN
    called = parts[0] or None
    place = 3 if at(parts, 3) else 10
    number, namespace = at(parts, place), at(parts, 6)
    ods = known = None
    if number and site.is_ods(namespace):
        ods = number
    elif number:
        system = site.system_of(draft.authority)
        if namespace:
            system, exact = site.exact_authority(namespace)
            if not exact:
                return NOT_PLAIN
            parts[5] = ""
        known = make_of(Identifier, {"system": system, "value": number})
    if called is None and not number:
        return None
    parts[0] = ""
    if number:
        parts[place - 1] = ""
    return make_of(Actor, {"organization": called, "organization_code": ods, "identifier": known})


def place_as(role: str) -> Plain:
    """As `datatypes.place_as`."""

    def read(draft: Draft, segment: Segment, parts: list[str]) -> Actor | None:
        owner = at(parts, 4) or None
        if owner:
            parts[3] = ""
        called = joined(parts, (9, 1, 2, 3), ", ")
        if called is None and owner is None:
            return None
        return make_of(Actor, {"name": called, "role": role, "organization": owner})

    return read
