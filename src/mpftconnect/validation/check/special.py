"""What single types demand beyond their definitions: codes, units, extensions, narratives, texts."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.facets import Facet
from mpftconnect.validation.check.run import Run
from mpftconnect.validation.compile.element import Element
from mpftconnect.validation.fast.recipes import Unless, described
from mpftconnect.validation.places import Place
from mpftconnect.validation.xhtml import is_plain_narrative, read_narrative

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["SPECIAL", "form_facets"]

Special = Callable[[dict[str, Any], Place, Run], None]

# Text that a browser would take for a tag: "<", then a letter, "/", "!" or "?".
_HTML = re.compile(r"<[A-Za-z/!?][^>]*>?")
_MARKDOWN_HTML = re.compile(r"(?<![`\\])<[A-Za-z/!][^<>`]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXAMPLE = re.compile(r"(^|[/.@])example\.(org|com|net)([/:]|$)|(^|[/.])acme\.com([/:]|$)")


def _coding(value: dict[str, Any], place: Place, run: Run) -> None:
    run.checks.coded.coding(value, place, run)


def _quantity(value: dict[str, Any], place: Place, run: Run) -> None:
    run.checks.coded.quantity(value, place, run)


def _attachment(value: dict[str, Any], place: Place, run: Run) -> None:
    data, size = value.get("data"), value.get("size")
    if not isinstance(data, str) or not isinstance(size, int):
        return
    try:
        actual = len(b64decode("".join(data.split()), validate=True))
    except ValueError:
        return  # the form of base64 is checked where it stands
    if actual != size:
        run.error("primitive-form", place, f"must have its real size, {actual}, as size")


def _extension(value: dict[str, Any], place: Place, run: Run) -> None:
    """ext-1: extensions or a value, one of them and not both."""
    has_value = any(key.startswith(("value", "_value")) for key in value)
    if has_value == ("extension" in value):
        run.error("ext-1", place, "breaks ext-1: Must have either extensions or value[x], not both", EXTENSION)


def _reference(value: dict[str, Any], place: Place, run: Run) -> None:
    """ref-1: a local reference leads to a contained resource."""
    reference = value.get("reference")
    if isinstance(reference, str) and reference.startswith("#") and len(reference) > 1 and run.frame is not None:
        container = run.frame.container
        if reference[1:] not in container.contained:
            run.error(
                "ref-1",
                place,
                "breaks ref-1: SHALL have a contained resource if a local reference is provided",
                REFERENCE,
            )


EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"
REFERENCE = "http://hl7.org/fhir/StructureDefinition/Reference"


def _identifier(value: dict[str, Any], place: Place, run: Run) -> None:
    """R4 "Identifier": where the system is urn:ietf:rfc:3986, the value is a whole URI."""
    text = value.get("value")
    if value.get("system") == "urn:ietf:rfc:3986" and isinstance(text, str) and not _SCHEME.match(text):
        run.error("primitive-form", place, "must have a whole URI as value, because its system is urn:ietf:rfc:3986")


SPECIAL: dict[str, Special] = {
    "Coding": _coding,
    "Quantity": _quantity,
    "Age": _quantity,
    "Count": _quantity,
    "Distance": _quantity,
    "Duration": _quantity,
    "SimpleQuantity": _quantity,
    "Attachment": _attachment,
    "Extension": _extension,
    "Identifier": _identifier,
    "Reference": _reference,
}


def form_facets(checks: Checks, code: str, element: Element) -> list[Facet]:
    """Checks of a primitive's text that the form alone does not say."""
    if code == "xhtml":
        return [_narrative]
    if code == "markdown":
        return [_markdown]
    if code == "string":
        return [_string]
    if code in ("uri", "url", "canonical"):
        return [_address]
    return []


def _narrative(value: Any, place: Place, run: Run) -> None:
    for rule, sentence in read_narrative(value).problems:
        run.error(rule, place, sentence)


def _string(value: Any, place: Place, run: Run) -> None:
    if "<" in value and run.options.security_checks and _HTML.search(value):
        run.error("html-in-text", place, "must not hold what looks like HTML tags")


def _markdown(value: Any, place: Place, run: Run) -> None:
    if (
        "<" in value
        and (run.options.no_html_in_markdown or run.options.security_checks)
        and _MARKDOWN_HTML.search(value)
    ):
        run.error("html-in-text", place, "must not hold HTML tags")


def _address(value: Any, place: Place, run: Run) -> None:
    if not run.options.examples and _EXAMPLE.search(value):
        run.error("example-url", place, "must not be an example address")


# With the usual options (`Options.usual`) these say nothing; the commonest narrative is told by one expression.
for _facet in (_string, _markdown, _address):
    described(_facet, Unless(None))
described(_narrative, Unless(is_plain_narrative))
