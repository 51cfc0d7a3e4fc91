"""The narrative: which XHTML a `div` may hold.

FHIR R4 "Narrative": elements of HTML 4.0 chapters 7-11 (but 9.4) and 15, `a`, images and internal styles;
no active content, no external references that a reader would fetch. The element and attribute names
follow the list that the specification's invariant txt-1 describes in prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

__all__ = ["Narrative", "is_plain_narrative", "read_narrative"]

NAMESPACE = "http://www.w3.org/1999/xhtml"
_ELEMENT_NAMES = """
    a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt
    em h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q samp small span strike strong sub sup table tbody td
    tfoot th thead tr tt u ul var
"""
_ATTRIBUTE_NAMES = """
    accesskey align class dir id idref lang style tabindex title xml:lang
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_EVERYWHERE = frozenset(_ATTRIBUTE_NAMES.split())
_ATTRIBUTES = {
    "a": "href name rel type charset hreflang rev shape coords target",
    "area": "alt coords href nohref shape",
    "br": "clear",
    "blockquote": "cite",
    "q": "cite",
    "ins": "cite datetime",
    "del": "cite datetime",
    "hr": "size width noshade",
    "ol": "type start compact",
    "ul": "type compact",
    "li": "type value",
    "dl": "compact",
    "img": "src alt longdesc height width usemap ismap border hspace vspace name",
    "map": "name",
    "pre": "width space xml:space",
    "div": "xmlns",
    "table": "summary width border frame rules cellspacing cellpadding bgcolor",
    "col": "span width char charoff valign",
    "colgroup": "span width char charoff valign",
    "thead": "char charoff valign",
    "tfoot": "char charoff valign",
    "tbody": "char charoff valign",
    "tr": "char charoff valign bgcolor",
    "td": "abbr axis headers scope rowspan colspan char charoff valign nowrap width height bgcolor",
    "th": "abbr axis headers scope rowspan colspan char charoff valign nowrap width height bgcolor",
}
_ALLOWED = {name: frozenset(names.split()) for name, names in _ATTRIBUTES.items()}
_SCHEMES = {"http", "https", "ftp", "mailto", "tel", "tftp", "data", "cid"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# Names of HTML that a narrative may not hold and a message may repeat; any other name may be anything.
_NOT_ALLOWED_NAMES = """
    applet article audio base body button canvas embed fieldset font footer form frame head header html iframe input
    label legend link main meta nav object option param script section select source style svg template textarea
    title video onabort onblur onchange onclick onerror onfocus oninput onkeydown onkeyup onload onmouseover onsubmit
    action background color face method target
"""
_NOT_ALLOWED = frozenset(_NOT_ALLOWED_NAMES.split())
# The entities that XHTML 1.0 declares are not declared in FHIR: only XML's own five may stand (R4 Narrative).
_DEEPEST = 200
_START, _END = '<div xmlns="http://www.w3.org/1999/xhtml">', "</div>"
_LENGTH_OF_START = len(_START)
# The commonest narrative, a div of plain text: what XML allows there without markup, entities and escapes.
_PLAIN = re.compile(
    r'<div xmlns="http://www\.w3\.org/1999/xhtml">([^<>&\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]*)</div>'
)


@dataclass(slots=True)
class Narrative:
    """What was found in a `div`."""

    problems: list[tuple[str, str]] = field(default_factory=list)  # rule (txt-1, txt-2, narrative-...), sentence
    has_content: bool = False
    languages: set[str] = field(default_factory=set)
    without_source: bool = False
    ids: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)


def _parts(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(" ")
    return namespace, local


def is_plain_narrative(text: str) -> bool:
    """Whether a narrative is a div of plain text, which is always right."""
    if (
        text.isprintable()
        and text.startswith(_START)
        and text.endswith(_END)
        and text[_LENGTH_OF_START] not in " <"
        and text.count("<") == 2
        and text.count(">") == 2
        and "&" not in text
    ):
        return True
    plain = _PLAIN.fullmatch(text)
    return plain is not None and not plain[1].isspace() and plain[1] != ""


def read_narrative(text: str) -> Narrative:
    """Check a narrative's XHTML. Linear in its length; never resolves or fetches anything.

    >>> read_narrative('<div xmlns="http://www.w3.org/1999/xhtml"><script/>x</div>').problems[0][0]
    'txt-1'
    """
    if is_plain_narrative(text):
        return Narrative(has_content=True, without_source=True)
    found = Narrative()
    reader = _Reader(found)
    try:
        reader.parse(text)
    except expat.ExpatError as error:
        found.problems.append(
            ("narrative-xml", f"is not well-formed XHTML (line {error.lineno}): {expat.ErrorString(error.code)}")
        )
        found.has_content = True
        return found
    except _Refused as refused:
        found.problems.append(("narrative-xml", str(refused)))
        found.has_content = True
        return found
    if not found.has_content:
        found.problems.append(("txt-2", "must have some content that is not white space"))
    return found


class _Refused(Exception):
    pass


class _Reader:
    def __init__(self, found: Narrative) -> None:
        self._found = found
        self._depth = 0
        self._sourced: list[bool] = []
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def parse(self, text: str) -> None:
        self._parser.Parse(text.encode("utf-8", "surrogatepass"), True)

    def _doctype(self, *ignored: object) -> None:
        raise _Refused("must not have a document type declaration")

    def _instruction(self, target: str, data: str) -> None:
        self._problem("txt-1", "must not have processing instructions")

    def _problem(self, rule: str, sentence: str) -> None:
        if len(self._found.problems) < 50:
            self._found.problems.append((rule, sentence))

    def _text(self, text: str) -> None:
        if text.strip():
            self._found.has_content = True
            if not any(self._sourced):
                self._found.without_source = True

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Refused(f"is nested deeper than {_DEEPEST} elements")
        namespace, local = _parts(name)
        classes = set(attributes.get("class", "").split())
        self._sourced.append(bool(classes & {"boilerplate", "generated", "original"}))
        if self._depth == 1:
            if local != "div":
                self._problem("narrative-div", "must be a div, and nothing else")
            if namespace != NAMESPACE:
                self._problem("narrative-namespace", f"must declare the namespace {NAMESPACE}")
        elif namespace != NAMESPACE and namespace:
            self._problem("narrative-namespace", f"an element{_named(local)} is of another namespace than XHTML")
        if local not in _ELEMENTS:
            self._problem("txt-1", f"an element{_named(local)} is not allowed in a narrative")
        elif local == "img":
            self._found.has_content = True
        allowed = _ALLOWED.get(local, frozenset())
        for full, value in attributes.items():
            space, attribute = _parts(full)
            if space == "http://www.w3.org/XML/1998/namespace":
                attribute = f"xml:{attribute}"
            if attribute.startswith("on") or (attribute not in _EVERYWHERE and attribute not in allowed):
                self._problem(
                    "txt-1",
                    f"an attribute{_named(attribute)} is not allowed on its element{_named(local)}",
                )
            self._attribute(local, attribute, value)

    def _attribute(self, local: str, attribute: str, value: str) -> None:
        if attribute == "id":
            self._found.ids.add(value)
        elif attribute in ("lang", "xml:lang") and local == "div" and self._depth > 1:
            self._found.languages.add(value)
        elif attribute in ("href", "src"):
            if value.startswith("#"):
                self._found.references.add(value[1:])
                return
            scheme = _SCHEME.match(value)
            if scheme and scheme[1].lower() not in _SCHEMES:
                self._problem(
                    "narrative-link" if attribute == "href" else "narrative-image",
                    "a link with such a scheme cannot be followed",
                )

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._sourced.pop()


def _named(name: str) -> str:
    """A name of HTML, with a space before it; else nothing."""
    known = name in _ELEMENTS or name in _EVERYWHERE or name in _NOT_ALLOWED
    return f" {name}" if known or any(name in names for names in _ALLOWED.values()) else ""


def words_of(text: str) -> Iterator[str]:
    """The text of a narrative without its markup."""
    yield from re.split(r"<[^>]*>", text)
