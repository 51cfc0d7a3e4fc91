"""Replaces what could point at a person by stand-ins of the same shape and validity (rule 15).

The mapping is keyed; the key lives as long as the `Redactor` and is never written. The same value has the same
stand-in in every exchange of a run, so that what agreed still agrees. Text that people wrote, pictures and documents
are dropped and say so: no machine can know what stands in them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Protocol
from urllib.parse import quote, quote_plus, unquote

from mpftconnect.conformance.evidence import Recorded, TestPerson
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber
from mpftconnect.fhir.json_text import dump_json, parse_json
from mpftconnect.model import NHS_NUMBER_SYSTEM, nhs_number

__all__ = ["BODIES", "DROPPED_TEXT", "FILLERS", "BodyRedactor", "Redactor"]

DROPPED_TEXT = "(free text dropped)"

# Words that name nobody, and that a judge may have to see.
FILLERS = frozenset(
    {
        *("unknown", "unk", "not known", "not recorded", "not stated", "not specified", "not available", "not given"),
        *("n/a", "na", "nil", "none", "null", "test", "tbc", "tba", "dummy", "blank", "-", "--", ".", "?", "x", "xx"),
        *("xxx", "0", "undefined", "no value", "no data", "missing"),
    }
)
_NUMBER_TOKEN = re.compile(r"(?<![\dA-Za-z])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\dA-Za-z])", re.ASCII)
_SHORT = 4
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# FHIR elements that hold what people wrote. Structures that may be left out go as a whole.
_WHOLE = frozenset({"note", "photo"})
_TEXTS = frozenset(
    {
        *("comment", "description", "conclusion", "patientInstruction", "instruction", "text", "valueString"),
        *("valueMarkdown", "diagnostics", "title", "detail", "preAdmission", "contentString", "div"),
    }
)
# ODS codes, and numbers of things that are no person, keep their values: checks are about them.
_PUBLIC_SYSTEMS = ("ods-organization-code", "ods-site-code", "ods-code")


class BodyRedactor(Protocol):
    """How bodies of a protocol that is not JSON over HTTP are redacted."""

    def learn(self, body: bytes, redactor: Redactor) -> None:
        """Give the redactor every value that could point at a person: `number`, `shape`, `birth_date`."""

    def redact(self, body: bytes, redactor: Redactor) -> bytes:
        """The body with stand-ins, text that people wrote left out.

        Raises:
            AnswerRejected: It cannot be read: it is then dropped.
        """


BODIES: dict[str, BodyRedactor] = {}
"""By `Recorded.protocol`; JSON over HTTP is built in."""


class Redactor:
    """Learns from all exchanges of a run, then redacts each.

    Args:
        key: For tests; made anew otherwise, and gone with this object.

    >>> redactor = Redactor(key=b"k")
    >>> redactor.number("9990000018") == redactor.number("9990000018") != "9990000018"
    True
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key if key is not None else secrets.token_bytes(32)
        self._map: dict[str, str] = {}
        self._taken: set[str] = set()
        self._terms: set[str] = set()
        self._ids: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._pointing: re.Pattern[str] | None = None

    # Learning

    def learn(self, exchanges: Iterable[Recorded], people: Iterable[TestPerson] = ()) -> None:
        """Find every value that could point at a person."""
        for person in people:
            if person.nhs_number:
                self.number(person.nhs_number)
            if person.local_id:
                self.shape(person.local_id)
        for each in exchanges:
            for text in (each.url, *(value for _, value in (*each.request_headers, *each.response_headers))):
                self._numbers(unquote(text))
            for body in (each.request_body, each.response_body):
                reader = BODIES.get(each.protocol)
                content = _parsed(body) if reader is None else None
                if reader is not None and body:
                    reader.learn(body, self)
                elif content is not None:
                    self._learn_json(content)
        self._pattern = self._pointing = None

    def _numbers(self, text: str) -> None:
        for token in _NUMBER_TOKEN.findall(text):
            if _is_number(token):
                self.number(token)

    def _learn_json(self, content: Any) -> None:
        waiting: list[tuple[Any, str, str]] = [(content, "", "")]
        while waiting:
            value, name, resource = waiting.pop()
            if isinstance(value, list):
                waiting.extend((part, name, resource) for part in value)
            elif isinstance(value, Mapping):
                kind = value.get("resourceType")
                inside = kind if isinstance(kind, str) else resource
                self._learn_object(value, name, inside)
                waiting.extend((part, str(key), inside) for key, part in value.items())
            elif isinstance(value, str):
                if name not in ("code", "system", "url"):
                    self._numbers(value)
                if name in ("birthDate", "deceasedDateTime") and _DATE.match(value):
                    self.birth_date(value)

    def _learn_object(self, value: Mapping[str, Any], name: str, resource: str) -> None:
        if value.get("resourceType") in ("Patient", "RelatedPerson", "Person"):
            self._text(value.get("id"))
            if isinstance(value.get("id"), str) and len(value["id"]) < _SHORT:
                self._ids.add(value["id"])
        if name == "name" and resource in _PEOPLE and "resourceType" not in value:
            for part in ("family", "given", "text"):
                given = value.get(part)
                for each in given if isinstance(given, list) else [given]:
                    self._text(each)
        if "code" in value and isinstance(value.get("display"), str):
            self._terms.add(value["display"].strip().lower())
        if name == "telecom":
            self._text(value.get("value"))
        if name == "address" and resource in _PEOPLE:
            for part in ("line", "city", "district", "postalCode", "text"):
                given = value.get(part)
                for each in given if isinstance(given, list) else [given]:
                    self._text(each)
        if name == "identifier" and resource in _PEOPLE and not _is_public(value):
            given = value.get("value")
            if isinstance(given, str) and value.get("system") == NHS_NUMBER_SYSTEM:
                self.number(given)
            else:
                self._text(given)

    def _text(self, value: Any) -> None:
        # What has neither letter nor digit has no stand-in, and points at nobody.
        if isinstance(value, str) and any(c.isalnum() for c in value) and value.strip().lower() not in FILLERS:
            self.shape(value)

    # Stand-ins

    def number(self, text: str) -> str:
        """The stand-in for an NHS number: valid for valid, of the range 999; invalid for invalid."""
        digits = re.sub(r"[ -]", "", text)
        if len(digits) != 10 or not digits.isdigit():
            return self.shape(text) if text.strip() else text
        if digits not in self._map:
            for attempt in range(1000):
                stem = f"999{int.from_bytes(self._digest(digits, attempt)[:6], 'big') % 1_000_000:06d}"
                check = (11 - sum(int(d) * w for d, w in zip(stem, range(10, 1, -1), strict=True)) % 11) % 11
                if check == 10:
                    continue
                made = f"{stem}{check if _is_number(digits) else (check + 1) % 10}"
                if self._free(made, digits):
                    self._keep(digits, made)
                    break
        made = self._map[digits]
        if text != digits and text not in self._map:  # 999 000 0018: the same stand-in, in the same grouping
            left = iter(made)
            self._keep(text, "".join(next(left) if c.isdigit() else c for c in text))
        return self._map[text]

    def shape(self, text: str) -> str:
        """The stand-in for any text that could point at a person: letter for letter, digit for digit."""
        if text in self._map:
            return self._map[text]
        if _is_number(text):
            return self.number(text)
        made = text
        for attempt in range(100):
            stream = self._stream(text, attempt)
            made = "".join(_like(char, next(stream)) for char in text)
            if self._free(made, text) and not _is_number(made):
                break
        self._keep(text, made)
        return made

    def birth_date(self, text: str) -> str:
        """Another day of the same validity, within the same twenty years; what follows the date stays."""
        day = text[:10]
        if day not in self._map:
            year, month, number = int(day[:4]), int(day[5:7]), int(day[8:])
            for attempt in range(1000):
                digest = self._digest(day, attempt)
                other = f"{max(1, year - 10 + digest[0] % 20):04d}"
                if _is_day(day):
                    made = f"{other}-{1 + digest[1] % 12:02d}-{1 + digest[2] % 28:02d}"
                else:
                    made = f"{other}-{month:02d}-{number:02d}"
                if self._free(made, day) and _is_day(made) == _is_day(day):
                    break
            self._keep(day, made)
        return self._map[day] + text[10:]

    def _digest(self, text: str, attempt: int) -> bytes:
        return hmac.new(self._key, f"{attempt}:{text}".encode(), hashlib.sha256).digest()

    def _stream(self, text: str, attempt: int) -> Iterator[int]:
        block = 0
        while True:
            yield from self._digest(f"{block}:{text}", attempt)
            block += 1

    def _free(self, made: str, original: str) -> bool:
        return made != original and made not in self._map and made not in self._taken

    def _keep(self, original: str, made: str) -> None:
        self._map[original] = made
        self._taken.add(made)
        self._pattern = self._pointing = None

    # Applying

    def redact(self, each: Recorded) -> Recorded:
        """The exchange with stand-ins. A body that is no JSON is dropped, with what is wrong with it as a fact."""
        facts = dict(each.facts)
        request, _ = self._body(each, each.request_body, {})
        response, dropped = self._body(each, each.response_body, facts)
        return replace(
            each,
            url=self._address(each.url),
            request_headers=tuple((n, self.text(v)) for n, v in each.request_headers),
            response_headers=tuple((n, self._address(self.text(v))) for n, v in each.response_headers),
            request_body=request,
            response_body=response,
            dropped=each.dropped or dropped,
            facts=facts,
        )

    def person(self, person: TestPerson) -> TestPerson:
        return replace(
            person,
            nhs_number=self.number(person.nhs_number) if person.nhs_number else "",
            local_id=self.shape(person.local_id) if person.local_id else "",
        )

    def text(self, text: str) -> str:
        """The text with every value that was learned replaced."""
        if text in self._map:
            return self._map[text]
        made = self._compiled().sub(lambda found: self._map[found.group()], text)
        return self._pointers().sub(lambda found: found[1] + self._map[found[2]], made)

    def remains(self, each: Recorded) -> bool:
        """Whether anything that was learned is still there: nothing may be."""
        parts = [each.url, *(v for _, v in (*each.request_headers, *each.response_headers))]
        parts += [(b or b"").decode("utf-8", errors="replace") for b in (each.request_body, each.response_body)]
        numbers = [token for token in self._map if len(token) == 10 and token.isdigit()]
        return any(self._compiled().search(part) or any(n in part for n in numbers) for part in parts)

    def _compiled(self) -> re.Pattern[str]:
        if self._pattern is None:
            # What is shorter would be found everywhere, and points at nobody by itself.
            tokens = sorted((t for t in self._map if len(t) >= _SHORT), key=lambda t: (-len(t), t))
            whole = "|".join(re.escape(token) for token in tokens)
            # In an address what stands before may be an escape, such as the bar of system|value.
            begins = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2}))"
            self._pattern = re.compile(rf"{begins}(?:{whole})(?![^\W_])" if tokens else r"(?!)")
        return self._pattern

    def _pointers(self) -> re.Pattern[str]:
        """Short ids of people where a resource is pointed at (`Patient/17`), so that what agreed still agrees. Of
        any type: an id that stands alone is replaced whatever it is the id of.
        """
        if self._pointing is None:
            ids = "|".join(re.escape(token) for token in sorted(self._ids & set(self._map), key=lambda t: (-len(t), t)))
            begins = r"(?<![A-Za-z])((?:[A-Z][A-Za-z]{2,40}(?:/|%2F))|(?:patient|subject)=)"
            self._pointing = re.compile(rf"{begins}({ids})(?![\w.\-])" if ids else r"(?!)")
        return self._pointing

    def _address(self, url: str) -> str:
        made = self.text(url)
        for original, stand_in in self._map.items():
            for encode in (quote, quote_plus):
                encoded = encode(original, safe="")
                if encoded != original and len(original) >= 4 and encoded in made:
                    made = made.replace(encoded, encode(stand_in, safe=""))
        return made

    def _body(self, each: Recorded, body: bytes | None, facts: dict[str, Any]) -> tuple[bytes | None, str]:
        if not body:
            return body, ""
        reader = BODIES.get(each.protocol)
        if reader is not None:
            try:
                return reader.redact(body, self), ""
            except AnswerRejected as error:
                facts["unreadable"] = str(error)
                return None, "cannot be read: dropped, not redacted"
        if each.facts.get("patient") is False:
            # It can carry nothing of a patient: what people wrote in it is documentation, which checks are about.
            try:
                return self.text(body.decode("utf-8")).encode(), ""
            except UnicodeDecodeError as error:
                facts["json"] = f"byte {error.start}: is not UTF-8"
                facts["bytes"] = len(body)
                return None, "no text: dropped, not redacted"
        try:
            content = parse_json(body)
        except AnswerRejected as error:
            facts["json"] = str(error)
            facts["bytes"] = len(body)
            return None, "not JSON: dropped, not redacted"
        return dump_json(self._json(content, "", "", "")), ""

    def _json(self, value: Any, name: str, resource: str, parent: str) -> Any:
        if isinstance(value, list):
            return [self._json(part, name, resource, parent) for part in value]
        if isinstance(value, Mapping):
            kind = value.get("resourceType")
            inside = kind if isinstance(kind, str) else resource
            made = {}
            for key, part in value.items():
                if key in _WHOLE and isinstance(part, list):
                    continue
                if key == "text" and isinstance(part, Mapping) and "div" in part:
                    continue  # a narrative
                if key == "data" and isinstance(part, str):
                    continue  # an attachment's or a Binary's content
                made[key] = self._member(key, part, value, inside, name)
            return made
        if isinstance(value, str):
            return self.text(value)
        return value

    def _member(self, key: str, part: Any, owner: Mapping[str, Any], resource: str, parent: str) -> Any:
        if isinstance(part, str):
            if key in ("birthDate", "deceasedDateTime") and _DATE.match(part):
                return self.birth_date(part)
            if part in self._map:
                return self._map[part]
            # Words that are a code's own are no free text: a profile may even fix them.
            if key in _TEXTS and not _is_plain(part) and part.strip().lower() not in self._terms:
                return DROPPED_TEXT
            if key == "display" and not ("code" in owner or "system" in owner) and not _is_plain(part):
                return self.shape(part)
        return self._json(part, key, resource, parent)


_PEOPLE = frozenset({"Patient", "RelatedPerson", "Person", "Practitioner"})


def _is_plain(text: str) -> bool:
    """Whether a text names nobody: blank, or a filler that a judge may have to see."""
    return not text.strip() or text.strip().lower() in FILLERS or text == DROPPED_TEXT


def _is_public(identifier: Mapping[str, Any]) -> bool:
    system = identifier.get("system")
    return isinstance(system, str) and any(part in system.lower() for part in _PUBLIC_SYSTEMS)


def _is_number(text: str) -> bool:
    try:
        nhs_number(text)
    except NotAnNhsNumber:
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _like(char: str, byte: int) -> str:
    if char.isnumeric():
        return "0123456789"[byte % 10]
    if char.isalpha():
        letters = "bcdfghjklmnpqrstvwxz"
        made = letters[byte % len(letters)]
        return made.upper() if char.isupper() else made
    return char


def _parsed(body: bytes | None) -> Any:
    if not body:
        return None
    try:
        return parse_json(body)
    except AnswerRejected:
        return None
