"""Items of every type, generated over every field of the model, for property tests."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    SECTION_TYPES,
    SNOMED,
    Coding,
    Concept,
    Extra,
    Identifier,
    Item,
    Location,
    Model,
    Organization,
    PartialDate,
    Patient,
    Practitioner,
    Reference,
    Source,
    Specimen,
    When,
    extra_from,
)

SOURCE = Source(system="gp", id="Thing/1", fetched=datetime(2026, 1, 1, tzinfo=UTC))

ITEM_TYPES: tuple[type[Item], ...] = (
    *SECTION_TYPES.values(),
    *(Patient, Practitioner, Organization, Location, Specimen),
)

# Digits with a valid check digit, all of the 999 range.
NHS_NUMBERS = ("9990000018", "9990000026", "9990000034", "9990000042")

_ZONES = ("Europe/London", "Europe/Paris", "Asia/Kolkata", "America/New_York")

# Includes what could be mistaken for something else by a mapping: codes, ids and references of its own.
_WORDS = (
    "",
    "active",
    "unknown",
    "AMB",
    "permit",
    "01",
    "1",
    "Condition/1",
    "Organization/1",
    "Patient/1",
    "Location/2",
    "#1",
    "mpftconnect-need-1",
    "not stated",
    "http://example.org/policy",
    "A rambling sentence, with “quotes” and é.",
)


def texts(*, typed: bool = False) -> st.SearchStrategy[str]:
    """Strings; `typed` ones are what R4 allows as a string (not empty, nothing but white space neither)."""
    free = st.text(min_size=1 if typed else 0, max_size=12)
    if typed:
        free = st.text(alphabet="abcDEF12", min_size=1, max_size=8)
        return st.one_of(st.sampled_from([word for word in _WORDS if word and " " not in word]), free)
    return st.one_of(st.sampled_from(_WORDS), free)


@st.composite
def whens(draw: st.DrawFn) -> When:
    """Dates and times of every precision, with and without offset, in ordinary and in troubled hours."""
    text = draw(
        st.one_of(
            st.sampled_from(
                (
                    "2024-03-31T01:30:00",  # did not exist in London
                    "2024-10-27T01:30:00",  # occurred twice in London
                    "2024-10-27T01:30",
                    "2024-06-01T09:00",
                    "2024-06-01T09:00Z",
                    "2024-06-01T09:00+01:00",
                    "2024-06-30T23:59:60Z",
                    "2024-06-30T23:59:60",
                    "1800-01-01T00:00:00",  # before zones had whole minutes
                    "0001-01-01T00:00:00",
                    "9999-12-31T23:59:59",
                    "2024-01-01T00:00:00+14:59",
                    "2024-01-01T00:00:00.123456789Z",
                    "0999",
                )
            ),
            st.dates().map(lambda day: f"{day:%Y-%m-%d}".zfill(10)),
            st.dates().map(lambda day: f"{day.year:04}-{day.month:02}"),
            st.dates().map(lambda day: f"{day.year:04}"),
            st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
            st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
            st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds") + "+01:00"),
        )
    )
    return When(text, draw(st.sampled_from(_ZONES)))


def partial_dates() -> st.SearchStrategy[PartialDate]:
    return st.one_of(
        st.dates().map(lambda day: PartialDate(day.isoformat())),
        st.dates().map(lambda day: PartialDate(f"{day.year:04}-{day.month:02}")),
        st.dates().map(lambda day: PartialDate(f"{day.year:04}")),
    )


def decimals() -> st.SearchStrategy[Decimal]:
    return st.one_of(
        st.decimals(allow_nan=False, allow_infinity=False),
        st.sampled_from([Decimal(text) for text in ("72.50", "0.00", "-0.0", "1E+3", "1.20E-7", "100")]),
    )


def aware() -> st.SearchStrategy[datetime]:
    return st.one_of(
        st.datetimes(timezones=st.just(UTC)),
        st.datetimes(
            min_value=datetime(1900, 1, 1),
            max_value=datetime(2100, 1, 1),
            timezones=st.just(timezone(timedelta(hours=5))),
        ),
    )


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), decimals(), st.text(max_size=8))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
        max_leaves=6,
    )


def extras(*, typed: bool = False) -> st.SearchStrategy[Extra]:
    return st.builds(extra_from, texts(typed=typed), json_values())


def _identifiers(*, typed: bool) -> st.SearchStrategy[Identifier]:
    plain = _filled(Identifier, typed=typed)
    known = st.builds(
        Identifier,
        system=st.sampled_from((NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM)),
        value=st.sampled_from((*NHS_NUMBERS, "RRE", None)),
        use=st.sampled_from((None, "old")),
        verification_status=st.sampled_from((None, "01", "08")),
    )
    return st.one_of(plain, known)


def _concepts(*, typed: bool) -> st.SearchStrategy[Concept]:
    snomed = st.builds(
        Coding, system=st.just(SNOMED), code=st.sampled_from(("195967001", "716186003")), display=texts(typed=typed)
    )
    emergency = st.just(Coding(system="http://terminology.hl7.org/CodeSystem/v2-0131", code="C"))
    note = st.just(
        Coding(system="http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", code="clinical-note")
    )
    codings = st.one_of(_filled(Coding, typed=typed), snomed, emergency, note)
    return st.builds(
        Concept,
        text=st.one_of(st.none(), texts(typed=typed)),
        coding=st.lists(codings, max_size=2).map(tuple),
    )


def _references(*, typed: bool) -> st.SearchStrategy[Reference]:
    return st.one_of(
        _filled(Reference, typed=typed),
        st.builds(Reference, reference=st.sampled_from(("Patient/1", "Condition/1", "#1", "Location/2"))),
    )


def _sources(*, typed: bool) -> st.SearchStrategy[Source]:
    return st.builds(
        Source,
        system=st.sampled_from(("rio", "gp", "pds")),
        id=st.one_of(st.sampled_from(("Condition/17", "careplans.csv#42", "9990000018", "a/b/c")), texts(typed=typed)),
        version=st.one_of(st.none(), st.sampled_from(("2", 'W/"2"', "v 1"))),
        fetched=aware(),
        mode=st.sampled_from(("live", "extract", "feed", "cache")),
        as_of=st.one_of(st.none(), aware()),
        updated=st.one_of(st.none(), whens()),
    )


def _of(annotation: Any, name: str, typed: bool) -> st.SearchStrategy[Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(_of(args[0], name, typed), max_size=2).map(tuple)
    if origin is Union or (origin is not None and origin.__name__ == "UnionType"):
        return st.one_of([st.none() if arg is type(None) else _of(arg, name, typed) for arg in args])
    if annotation is str:
        if name == "data_base64" or (name == "hash" and typed):
            return st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())
        if name == "content_type":
            return st.sampled_from(("text/plain", "application/pdf"))
        return texts(typed=typed)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(min_value=1, max_value=99) if typed else st.integers()
    if annotation is Decimal:
        return st.sampled_from([Decimal("72.50"), Decimal("3")]) if typed else decimals()
    if annotation is When:
        return whens()
    if annotation is PartialDate:
        return partial_dates()
    if annotation is datetime:
        return aware()
    special = {Identifier: _identifiers, Concept: _concepts, Reference: _references}
    if annotation in special:
        return special[annotation](typed=typed)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return _filled(annotation, typed=typed)
    raise AssertionError(f"no strategy for {name}: {annotation}")


def _filled(model: type[Model], *, typed: bool) -> st.SearchStrategy[Any]:
    """Any value of a model type, each field drawn by its annotation."""
    fields = {}
    for name, info in model.model_fields.items():
        if info.metadata and info.annotation is not datetime:
            raise AssertionError(f"{model.__name__}.{name} has constraints that are not generated")
        if name == "source":
            fields[name] = _sources(typed=typed)
        elif name == "also":
            fields[name] = st.lists(_sources(typed=typed), max_size=2).map(tuple)
        elif name == "extra":
            fields[name] = st.lists(extras(typed=typed), max_size=2).map(tuple)
        else:
            fields[name] = st.deferred(lambda a=info.annotation, n=name: _of(a, n, typed))
    return st.builds(model, **fields)


def items(item_type: type[Item], *, typed: bool = False) -> st.SearchStrategy[Item]:
    """Items of one type.

    Args:
        typed: Only strings and numbers that R4's own types allow, so that a strict library takes them.
    """
    return _filled(item_type, typed=typed)
