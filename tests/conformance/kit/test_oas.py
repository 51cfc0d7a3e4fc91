"""OpenAPI documents of strangers: read within limits, never fetched for, and judged by what the specification says."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect_conformance.oas.document import Document, document_in, faults_of, leads
from mpftconnect_conformance.oas.schema import Schemas, TooMuch
from mpftconnect_conformance.oas.text import MOST_BYTES, Unreadable, values_in

GOOD: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Ward feed", "version": "1.2.0"},
    "paths": {
        "/Patient/{id}": {
            "get": {
                "operationId": "read",
                "summary": "Reads a person",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "found"}, "4XX": {"description": "refused"}},
            }
        }
    },
}


def changed(**changes: Any) -> Document:
    return Document({**json.loads(json.dumps(GOOD)), **changes})


def rules(document: Document) -> set[str]:
    return {fault.rule for fault in faults_of(document)}


def test_a_good_document_has_no_fault() -> None:
    assert rules(changed()) == set()


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda d: d.update(openapi="2.0"), "openapi-version"),
        (lambda d: d["info"].pop("version"), "info-version"),
        (lambda d: d["info"].update(title=7), "info-title"),
        (lambda d: d.pop("paths"), "paths"),
        (lambda d: d.update(servers=[{"description": "sandbox"}]), "servers"),
        (
            lambda d: d["paths"]["/Patient/{id}"]["get"]["responses"]["200"].update(content={"application/json": {}}),
            "schema",
        ),
        (lambda d: d.update(paths={}), "no-operation"),
        (lambda d: d["paths"].update({"no-slash": {}}), "path-slash"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"].pop("summary"), "summary"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"].pop("parameters"), "path-parameter"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"].update(responses=[]), "responses"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"]["responses"].pop("4XX"), "error-response"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"]["responses"].update({"20": {}}), "status"),
        (
            lambda d: d["paths"]["/Patient/{id}"]["get"]["responses"]["200"].update(description=1),
            "response-description",
        ),
        (lambda d: d["paths"].update({"/x": {"get": d["paths"]["/Patient/{id}"]["get"]}}), "operation-id"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"]["parameters"][0].pop("schema"), "parameter-schema"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"]["parameters"][0].update(content={}), "parameter-schema"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"]["parameters"][0].pop("required"), "parameter-required"),
        (
            lambda d: d["paths"]["/Patient/{id}"]["get"]["responses"]["200"].update(headers={"ETag": {"example": 1}}),
            "header-schema",
        ),
        (lambda d: d.update(security=[{"nobody": []}]), "security-scheme"),
        (lambda d: d["paths"]["/Patient/{id}"]["get"].update(security=[{"nobody": []}]), "security-scheme"),
        (
            lambda d: d.update(
                components={"securitySchemes": {"o": {"type": "oauth2", "flows": {"clientCredentials": {}}}}}
            ),
            "oauth-flow",
        ),
        (lambda d: d.update(components={"x": {"$ref": "#/nowhere"}}), "reference"),
        (
            lambda d: d.update(components={"a": {"$ref": "#/components/b"}, "b": {"$ref": "#/components/a"}}),
            "reference-circle",
        ),
    ],
)
def test_a_fault_is_named(spoil: Any, rule: str) -> None:
    root = json.loads(json.dumps(GOOD))
    spoil(root)
    assert rule in rules(Document(root))


HOSTILE = {
    "laughs": b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(ord("b"), ord("j"))),
    "merges": b"a: &a {x: 1}\n"
    + b"".join(b"%c: &%c {<<: [%s]}\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(ord("b"), ord("j"))),
    "itself": b"a: &a [*a]\n",
    "nothing": b"a: *b\n",
    "deep yaml": b"[" * 5000 + b"]" * 5000,
    "deep yaml block": b"x: " + b"[" * 5000,
    "deep json": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "object tag": b"x: !!python/object/apply:os.system ['true']\n",
    "own tag": b"x: !mine 7\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "twice": b"a: 1\na: 2\n",
    "no text": b"openapi: '\xff\xfe'\n",
    "empty": b"",
    "cut": b'{"openapi": "3.0',
    "large": b"x: '" + b"y" * MOST_BYTES + b"'",
    "key": b"? [a]\n: 1\n",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_text_is_refused_soon(name: str) -> None:
    with pytest.raises(Unreadable) as raised:
        document_in(HOSTILE[name])
    assert raised.value.rule in ("syntax", "too-large", "alias")


def test_yaml_is_read_as_json_would_be() -> None:
    text = (
        b"a: &x {b: 1.50, c: null, d: yes, 200: on}\ne: *x\nf: {<<: *x, b: 2}\ng: 'true'\nh: 2020-01-01\ni: [true, ~]\n"
    )
    x = {"b": Decimal("1.50"), "c": None, "d": "yes", "200": "on"}
    assert values_in(text) == {
        "a": x,
        "e": x,
        "f": {**x, "b": 2},
        "g": "true",
        "h": "2020-01-01",
        "i": [True, None],
    }


def test_a_root_that_is_no_object_is_no_document() -> None:
    with pytest.raises(Unreadable):
        document_in(b"[1]")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab$/#", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$ref", "get", "parameters", "responses", "200", "schema", "properties", "/a/{b}", "name", "in"]
            ),
            inner | st.sampled_from(["#/paths", "#/a", "#", "file:///x", "path"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(plain, plain)
def test_wrong_types_crash_nothing(paths: Any, components: Any) -> None:
    document = Document({**GOOD, "paths": paths, "components": components})
    faults_of(document)
    assert all(isinstance(each, str) for each in document.external)


@settings(max_examples=150, deadline=None)
@given(plain, plain)
def test_any_schema_ends(schema: Any, value: Any) -> None:
    with suppress(TooMuch):
        Schemas(Document({**GOOD, "a": schema}), steps=5000).problems(schema, value)


def test_a_bomb_of_schemas_ends() -> None:
    levels = {f"s{n}": {"allOf": [{"$ref": f"#/s{n + 1}"}] * 10} for n in range(12)}
    begun = time.process_time()
    with pytest.raises(TooMuch):
        Schemas(Document({"openapi": "3.0.3", **levels, "s12": {}})).problems({"$ref": "#/s0"}, 1)
    with pytest.raises(TooMuch):
        Schemas(Document({"openapi": "3.0.3", "a": {"$ref": "#/a"}})).problems({"$ref": "#/a"}, 1)
    assert time.process_time() >= begun


def test_a_pattern_that_could_run_for_ever_is_not_tried() -> None:
    schemas = Schemas(changed())
    assert schemas.problems({"type": "string", "pattern": "(a+)+$"}, "a" * 60 + "b") == []
    assert schemas.problems({"type": "string", "pattern": "^[[a]$"}, "a") == []  # Python warns of it
    assert schemas.problems({"type": "string", "pattern": "^[0-9]{10}$"}, "12") == [("", "pattern")]


small = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
types = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def schemas_of(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    part = schemas_of(depth - 1) if depth else st.just({})
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types,
            "enum": st.lists(st.sampled_from(["a", 1, None]), min_size=1, max_size=2),
            "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from("ab"), part, max_size=2),
            "additionalProperties": st.booleans(),
            "items": part,
            "minItems": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "minimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "allOf": st.lists(part, min_size=1, max_size=2),
            "anyOf": st.lists(part, min_size=1, max_size=2),
            "oneOf": st.lists(part, min_size=1, max_size=2),
            "not": part,
        },
    )


@settings(max_examples=300, deadline=None)
@given(schemas_of(2), small)
def test_it_agrees_with_a_known_validator(schema: dict[str, Any], value: Any) -> None:
    from openapi_schema_validator import OAS31Validator

    known = OAS31Validator(schema).is_valid(value)
    assert (Schemas(Document({"openapi": "3.1.0"})).problems(schema, value) == []) is known


def test_the_dialect_of_3_0() -> None:
    old = Schemas(Document({"openapi": "3.0.3", "a": {"type": "string"}}))
    assert old.problems({"type": "string", "nullable": True}, None) == []
    assert old.problems({"minimum": 1, "exclusiveMinimum": True}, 1) == [("", "minimum")]
    assert old.problems({"$ref": "#/a", "enum": ["x"]}, "y") == []


def test_where_a_reference_leads() -> None:
    document = changed(components={"a": {"$ref": "file:///etc/passwd"}, "b": {"$ref": "//x.example/y"}})
    assert {leads(each) for each in document.external} == {"file", "elsewhere"}
