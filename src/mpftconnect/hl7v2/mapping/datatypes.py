"""HL7 v2's data types as types of the model: identifiers, names, addresses, numbers to call, codes, people, places.

Each reader takes the components that it understands; what it leaves is kept as extra, component by component.
Source: HL7 v2.5.1 and v2.8.2, chapter 2A; the section of each type is named beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.hl7v2.mapping.draft import Draft, Reader
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import coding_of, concept_of, concept_of_one, make
from mpftconnect.hl7v2.mapping.tables import (
    ADDRESS_TYPE,
    ADDRESS_USE,
    NAME_USE,
    TELECOM_SYSTEM,
    TELECOM_USE,
)
from mpftconnect.hl7v2.mapping.ways import TEXT, Way, sliced
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Actor,
    Address,
    Concept,
    ContactPoint,
    HumanName,
    Identifier,
    Period,
    When,
    nhs_number,
)

__all__ = [
    "address",
    "code",
    "coded_in",
    "concept",
    "date",
    "entity_identifier",
    "identifier",
    "joined",
    "moment",
    "moment_in",
    "name",
    "organisation",
    "person",
    "place_as",
    "telecom_of",
    "text",
    "words",
]

ASSUMED_AUTHORITY: Final = Way("text", TEXT.back, "assigning-authority")
ASSUMED_USE: Final = Way("text", TEXT.back, "telecom-use")


def text(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> str | None:
    """ST, TX, FT, ID, IS: the first component."""
    return draft.take(segment, field, repetition, 1, 1, path)


def code(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> str | None:
    """A code whose system the model does not name."""
    return draft.take_code(segment, field, repetition, 1, path)


def moment(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> When | None:
    """TS, DTM, DT."""
    return draft.take_time(segment, field, repetition, path)


def date(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Any:
    """A date of birth or the like."""
    return draft.take_date(segment, field, repetition, path)


def moment_in(component: int) -> Reader:
    """A time that stands in a later component."""

    def read(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> When | None:
        return draft.take_time(segment, field, repetition, path, component)

    return read


def coded_in(table: Any, component: int = 1) -> Reader:
    """A code of a table of HL7's, as FHIR's code."""

    def read(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> str | None:
        return draft.take_coded(segment, field, repetition, component, path, draft.site.table(table))

    return read


# --- codes -----------------------------------------------------------------------------------------------------


def concept(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Concept | None:
    """CE (2.A.3), CWE (2.A.13), CNE: up to three codings of one thing, and its original text.

    A coding without a code and without a system is the thing's text; a code without a system stays without one.
    """
    left = segment.left
    held = segment.components.get((field, repetition), 0)
    if not held & 0b1100:
        # The commonest form is a bare code; it also saves the look at nine components.
        return _bare(draft, segment, field, repetition, path)
    codings: list[Parts] = []
    words = draft.take(segment, field, repetition, 9, 1, f"{path}.text") if held >> 9 else None
    for first, version in ((1, 7), (4, 8), (10, 13)) if held >> 4 else ((1, 7),):
        coding = _coding(draft, segment, field, repetition, first, version, f"{path}.coding[{len(codings)}]")
        if coding is not None:
            codings.append(coding)
        elif words is None and (field, repetition, first + 1, 1) in left:
            words = draft.take(segment, field, repetition, first + 1, 1, f"{path}.text")
    if not codings and words is None:
        return None
    if words is None and len(codings) == 1:
        return concept_of_one(*codings[0])
    return concept_of(words, tuple([coding_of(*parts) for parts in codings]))


def _bare(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Concept | None:
    bare = draft.take_code(segment, field, repetition, 1, f"{path}.coding[0].code")
    held = segment.components.get((field, repetition), 0)
    words = draft.take(segment, field, repetition, 9, 1, f"{path}.text") if held >> 9 else None
    if bare is None:
        return None if words is None else Concept(text=words)
    if words is None:
        return concept_of_one(None, bare, None, None)
    return concept_of(words, (coding_of(None, bare, None, None),))


Parts = tuple[str | None, str, str | None, str | None]
"""System, code, display and version of a coding."""


def _coding(
    draft: Draft, segment: Segment, field: int, repetition: int, first: int, version: int, path: str
) -> Parts | None:
    if (field, repetition, first, 1) not in segment.left:
        return None
    taken = draft.take_code(segment, field, repetition, first, f"{path}.code")
    if taken is None:
        return None
    display = draft.take(segment, field, repetition, first + 1, 1, f"{path}.display")
    system = None
    place = (field, repetition, first + 2, 1)
    if (sent := segment.left.get(place)) and sent != '""' and sent.isprintable():
        system, exact = draft.site.exact_code_system(sent)
        draft.put(segment, place, f"{path}.system", draft.site.code_system_way, exact)
    revision = draft.take(segment, field, repetition, version, 1, f"{path}.version") if system else None
    return system, taken, display, revision


def words(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> str | None:
    """The words of a CE where the model has only text: the original text, else the display, else the code."""
    for component in (9, 2, 1):
        found = draft.take(segment, field, repetition, component, 1, path)
        if found is not None:
            return found
    return None


# --- identifiers -----------------------------------------------------------------------------------------------


def identifier(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Identifier | None:
    """CX (2.A.14): the number, who assigned it, its type. A wrong NHS number is no identifier and is kept as extra."""
    get = segment.left.get
    namespace, universal = get((field, repetition, 4, 1)), get((field, repetition, 4, 2))
    kind = get((field, repetition, 5, 1))
    if draft.site.is_nhs(namespace, universal, kind):
        return _nhs_number(draft, segment, field, repetition, path, namespace, universal)
    number = get((field, repetition, 1, 1))
    if number is None or number == '""' or number.isspace():
        return None
    system = _authority(draft, segment, field, repetition, 4, path)
    value = draft.take(segment, field, repetition, 1, 1, f"{path}.value", TEXT if system else ASSUMED_AUTHORITY)
    sort = draft.take(segment, field, repetition, 5, 1, f"{path}.type")
    return make(Identifier, system=system or draft.site.system_of(draft.authority), value=value, type=sort)


def _nhs_number(
    draft: Draft,
    segment: Segment,
    field: int,
    repetition: int,
    path: str,
    namespace: str | None,
    universal: str | None,
) -> Identifier | None:
    place = (field, repetition, 1, 1)
    sent = segment.left.get(place)
    try:
        number = nhs_number(sent or "")
    except NotAnNhsNumber:
        return None
    draft._exact(segment, place, number, sent or "", f"{path}.value", TEXT)
    if namespace:
        draft._exact(
            segment,
            (field, repetition, 4, 1),
            NHS_NUMBER_SYSTEM,
            namespace,
            f"{path}.system",
            draft.site.authority_way,
        )
    sort = draft.take(segment, field, repetition, 5, 1, f"{path}.type")
    return make(Identifier, system=NHS_NUMBER_SYSTEM, value=number, type=sort)


def _authority(draft: Draft, segment: Segment, field: int, repetition: int, component: int, path: str) -> str | None:
    """HD (2.A.33) as the URI of the numbers: the site's for its namespace, else its universal id, else by its name."""
    get = segment.left.get
    name_place, id_place = (field, repetition, component, 1), (field, repetition, component, 2)
    namespace, universal = get(name_place), get(id_place)
    known = namespace in draft.site.authority_systems if namespace else False
    if universal and not known and universal != '""':
        kind = (get((field, repetition, component, 3)) or "").upper()
        uri = _universal(universal, kind)
        if uri is not None:
            return draft.take(segment, field, repetition, component, 2, f"{path}.system", _UNIVERSAL) and uri
    if not namespace or namespace == '""' or namespace.isspace() or not namespace.isprintable():
        return None
    system, exact = draft.site.exact_authority(namespace)
    draft.put(segment, name_place, f"{path}.system", draft.site.authority_way, exact)
    return system


_PREFIXES: Final = ("urn:oid:", "urn:uuid:")


def _universal(value: str, kind: str) -> str | None:
    """Table 0301, universal id type: the types that are a URI of their own."""
    if not value.isascii() or " " in value or not value.isprintable():
        return None
    if kind in ("ISO", "OID") and value.replace(".", "").isdigit() and "." in value:
        return f"urn:oid:{value}"
    if kind in ("UUID", "GUID") and len(value) == 36:
        return f"urn:uuid:{value}"
    return value if kind in ("URI", "URL") and ":" in value else None


def _bare_universal(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    for prefix in _PREFIXES:
        if value.startswith(prefix):
            return value[len(prefix) :]
    return value


_UNIVERSAL: Final = Way("authority", _bare_universal)


def entity_identifier(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Identifier | None:
    """EI (2.A.28): a number that an application gave; its namespace follows in components 2 to 4."""
    number = segment.left.get((field, repetition, 1, 1))
    if number is None or number == '""' or number.isspace():
        return None
    system = None
    place = (field, repetition, 2, 1)
    namespace, universal = segment.left.get(place), segment.left.get((field, repetition, 3, 1))
    if namespace and namespace != '""' and namespace.isprintable() and not namespace.isspace():
        system, exact = draft.site.exact_authority(namespace)
        draft.put(segment, place, f"{path}.system", draft.site.authority_way, exact)
    elif universal:
        kind = (segment.left.get((field, repetition, 4, 1)) or "").upper()
        if (uri := _universal(universal, kind)) is not None:
            system = draft.take(segment, field, repetition, 3, 1, f"{path}.system", _UNIVERSAL) and uri
    value = draft.take(segment, field, repetition, 1, 1, f"{path}.value", TEXT if system else ASSUMED_AUTHORITY)
    return make(Identifier, system=system or draft.site.system_of(draft.authority), value=value)


# --- names, addresses, numbers to call -------------------------------------------------------------------------


def name(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> HumanName | None:
    """XPN (2.A.88), PN: family name, given names, prefix, suffix, use and validity."""
    family = draft.take(segment, field, repetition, 1, 1, f"{path}.family")
    held = segment.components.get((field, repetition), 0)
    given: list[str] = []
    for component in (2, 3) if held & 0b1000 else (2,):
        found = draft.take(segment, field, repetition, component, 1, f"{path}.given[{len(given)}]")
        if found is not None:
            given.append(found)
    prefix = draft.take(segment, field, repetition, 5, 1, f"{path}.prefix[0]") if held & 0b100000 else None
    suffix: list[str] = []
    for component in (4, 6) if held & 0b1010000 else ():
        found = draft.take(segment, field, repetition, component, 1, f"{path}.suffix[{len(suffix)}]")
        if found is not None:
            suffix.append(found)
    if family is None and not given and prefix is None and not suffix:
        return None
    use = (
        draft.take_coded(segment, field, repetition, 7, f"{path}.use", draft.site.table(NAME_USE))
        if held >> 7
        else None
    )
    return make(
        HumanName,
        use=use,
        family=family,
        given=tuple(given),
        prefix=(prefix,) if prefix else (),
        suffix=tuple(suffix),
        period=_validity(draft, segment, field, repetition, path, 10, 12, 13),
    )


def _validity(
    draft: Draft, segment: Segment, field: int, repetition: int, path: str, both: int, start: int, end: int
) -> Period | None:
    if not segment.components.get((field, repetition), 0) >> 10:
        return None
    begins = draft.take_time(segment, field, repetition, f"{path}.period.start", start) or draft.take_time(
        segment, field, repetition, f"{path}.period.start", both, 1
    )
    ends = draft.take_time(segment, field, repetition, f"{path}.period.end", end) or draft.take_time(
        segment, field, repetition, f"{path}.period.end", both, 2
    )
    return make(Period, start=begins, end=ends) if begins or ends else None


def address(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Address | None:
    """XAD (2.A.86), AD: lines, town, county, postcode, country, use and validity."""
    lines: list[str] = []
    for component in (1, 2):
        found = draft.take(segment, field, repetition, component, 1, f"{path}.line[{len(lines)}]")
        if found is not None:
            lines.append(found)
    city = draft.take(segment, field, repetition, 3, 1, f"{path}.city")
    district = draft.take(segment, field, repetition, 4, 1, f"{path}.district")
    postcode = draft.take(segment, field, repetition, 5, 1, f"{path}.postal_code")
    country = draft.take(segment, field, repetition, 6, 1, f"{path}.country")
    if not lines and city is None and district is None and postcode is None and country is None:
        return None
    use = draft.take_coded(segment, field, repetition, 7, f"{path}.use", draft.site.table(ADDRESS_USE))
    sort = draft.take_coded(segment, field, repetition, 7, f"{path}.type", ADDRESS_TYPE)
    return make(
        Address,
        use=use,
        type=sort,
        line=tuple(lines),
        city=city,
        district=district,
        postal_code=postcode,
        country=country,
        period=_validity(draft, segment, field, repetition, path, 12, 13, 14),
    )


def telecom_of(use: str | None) -> Reader:
    """XTN (2.A.89), TN. `use` is what the field itself says: PID-13 is the number at home."""

    def read(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> ContactPoint | None:
        sent = segment.left
        internet = (
            sent.get((field, repetition, 3, 1)) in ("Internet", "X.400") or sent.get((field, repetition, 2, 1)) == "NET"
        )
        value, way = None, TEXT if (field, repetition, 2, 1) in sent else ASSUMED_USE
        # HL7 v2.5.1, 2.A.89: the e-mail address is component 4; 12 and, before 2.3, 1 hold the number as written.
        for component in (4, 1, 12) if internet else (12, 1, 4):
            value = draft.take(segment, field, repetition, component, 1, f"{path}.value", way)
            if value is not None:
                internet = internet or component == 4
                break
        if value is None:
            value = joined(draft, segment, field, repetition, (6, 7), f"{path}.value", " ")
        if value is None:
            return None
        system = draft.take_coded(segment, field, repetition, 3, f"{path}.system", draft.site.table(TELECOM_SYSTEM))
        meant = draft.take_coded(segment, field, repetition, 2, f"{path}.use", draft.site.table(TELECOM_USE))
        if internet or (system is None and "@" in value):
            system = "email"
        if sent.get((field, repetition, 3, 1)) == "CP" or segment.get(field, 3, repetition) == "CP":
            meant = meant or "mobile"
        return make(ContactPoint, system=system or "phone", value=value, use=meant or use)

    return read


def joined(
    draft: Draft,
    segment: Segment,
    field: int,
    repetition: int,
    components: Sequence[int],
    path: str,
    between: str,
) -> str | None:
    """Several components as one text; the ledger keeps which part is which."""
    whole = ""
    left, held = segment.left, segment.components.get((field, repetition), 0)
    for component in components:
        if not held >> component & 1:
            continue
        value = left.get((field, repetition, component, 1))
        if value is None or value == '""' or value.isspace() or not value.isprintable():
            continue
        if whole:
            whole += between
        start = len(whole)
        whole += value
        draft.take(segment, field, repetition, component, 1, path, sliced(start, len(whole)))
    return whole or None


# --- people, organisations, places -----------------------------------------------------------------------------


def person(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
    """XCN (2.A.87), CN: a professional with number and name."""
    number = segment.left.get((field, repetition, 1, 1))
    known = None
    if number is not None and number != '""' and not number.isspace():
        system = None
        place = (field, repetition, 9, 1)
        namespace = segment.left.get(place)
        if namespace and namespace != '""' and namespace.isprintable() and not namespace.isspace():
            system, exact = draft.site.exact_authority(namespace)
            draft.put(segment, place, f"{path}.identifier.system", draft.site.authority_way, exact)
        value = draft.take(
            segment,
            field,
            repetition,
            1,
            1,
            f"{path}.identifier.value",
            TEXT if system else ASSUMED_AUTHORITY,
        )
        known = make(Identifier, system=system or draft.site.system_of(draft.authority), value=value)
    called = joined(draft, segment, field, repetition, (6, 3, 4, 2, 5), f"{path}.name", " ")
    return make(Actor, name=called, identifier=known) if known or called else None


def organisation(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
    """XON (2.A.85), or an HD: an organisation with its name and number."""
    called = draft.take(segment, field, repetition, 1, 1, f"{path}.organization")
    place = (field, repetition, 3, 1) if (field, repetition, 3, 1) in segment.left else (field, repetition, 10, 1)
    number = segment.left.get(place)
    ods, known = None, None
    if number is not None and number != '""' and not number.isspace() and number.isprintable():
        namespace = segment.left.get((field, repetition, 6, 1))
        if draft.site.is_ods(namespace) or f"{segment.name}-{field}" in draft.site.ods_fields:
            ods = draft.take(segment, place[0], place[1], place[2], 1, f"{path}.organization_code")
        else:
            value = draft.take(segment, place[0], place[1], place[2], 1, f"{path}.identifier.value")
            system = _authority(draft, segment, field, repetition, 6, f"{path}.identifier")
            known = make(Identifier, system=system or draft.site.system_of(draft.authority), value=value)
    if called is None and ods is None and known is None:
        return None
    return make(Actor, organization=called, organization_code=ods, identifier=known)


def place_as(role: str) -> Reader:
    """PL (2.A.53): a ward, room and bed, and whose they are. `role` says what the field says of it."""

    def read(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
        called = joined(draft, segment, field, repetition, (9, 1, 2, 3), f"{path}.name", ", ")
        owner = draft.take(segment, field, repetition, 4, 1, f"{path}.organization")
        if called is None and owner is None:
            return None
        return make(Actor, name=called, role=role, organization=owner)

    return read


def ods_actor(code_: str) -> Actor:
    """An organisation that only its ODS code names."""
    return make(
        Actor, organization_code=code_, identifier=make(Identifier, system=ODS_ORGANIZATION_SYSTEM, value=code_)
    )
