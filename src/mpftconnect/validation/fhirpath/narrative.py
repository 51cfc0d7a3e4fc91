"""`htmlChecks()`: whether a narrative keeps to the XHTML that FHIR allows, and says something.

Source:
    FHIR R4 (4.0.1), 2.4.0 "Narrative": formatting elements of HTML 4.0 chapters 7 to 11 (without 9.4) and 15, `a`,
    images and style attributes; no head, body, scripts, forms, frames, objects or event attributes (txt-1); some
    content (txt-2).
"""

from __future__ import annotations

import re
from html.entities import name2codepoint
from xml.parsers import expat

__all__ = ["is_narrative"]

XHTML = "http://www.w3.org/1999/xhtml"
ELEMENTS = frozenset(
    (
        *(
            "p",
            "br",
            "div",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "a",
            "span",
            "b",
            "em",
            "i",
            "strong",
            "small",
            "big",
            "tt",
        ),
        *(
            "dfn",
            "q",
            "var",
            "abbr",
            "acronym",
            "cite",
            "blockquote",
            "hr",
            "address",
            "bdo",
            "kbd",
            "code",
            "samp",
            "sub",
        ),
        *(
            "sup",
            "ins",
            "del",
            "pre",
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "table",
            "caption",
            "colgroup",
            "col",
            "thead",
        ),
        *("tr", "tfoot", "tbody", "th", "td", "img", "map", "area", "s", "u", "strike", "font", "center"),
    )
)
_DEPRECATED = frozenset(("s", "u", "strike", "font", "center"))
# 2.4.0 forbids "deprecated elements"; the reference validator accepts u and s all the same.
ALLOWED_ELEMENTS = ELEMENTS - (_DEPRECATED - {"u", "s"})
_ATTRIBUTES = frozenset(
    ("title", "style", "class", "id", "lang", "xml:lang", "dir", "accesskey", "tabindex", "xml:space", "xmlns")
) | frozenset(
    ("span", "width", "align", "valign", "char", "charoff", "abbr", "axis", "headers", "scope", "rowspan", "colspan")
)
_OF_ELEMENT: dict[str, set[str]] = {
    "a": {"href", "name", "charset", "type", "hreflang", "rel", "rev", "shape", "coords", "target"},
    "img": {"src", "border", "alt", "height", "usemap", "longdesc", "ismap"},
    "map": {"name"},
    "area": {"shape", "coords", "href", "nohref", "alt"},
    "table": {"border", "cellpadding", "cellspacing", "summary", "frame", "rules", "bgcolor"},
    "td": {"nowrap", "bgcolor", "height"},
    "th": {"nowrap", "bgcolor", "height"},
    "tr": {"bgcolor"},
    "blockquote": {"cite"},
    "q": {"cite"},
    "ins": {"cite", "datetime"},
    "del": {"cite", "datetime"},
    "ol": {"type", "start"},
    "ul": {"type"},
    "li": {"value", "type"},
    "br": {"clear"},
    "hr": {"size", "noshade"},
}
_DEEPEST = 200
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,20});", re.ASCII)
_OF_XML = frozenset(("lt", "gt", "amp", "quot", "apos"))


class _Refused(Exception):
    pass


class _Check:
    def __init__(self) -> None:
        self.depth = 0
        self.says_something = False

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and (name != "div" or attributes.get("xmlns", XHTML) != XHTML):
            raise _Refused
        self.depth += 1
        if self.depth > _DEEPEST or name not in ALLOWED_ELEMENTS:
            raise _Refused
        allowed = _OF_ELEMENT.get(name, set())
        for attribute, value in attributes.items():
            if (
                attribute not in _ATTRIBUTES
                and attribute not in allowed
                and not attribute.startswith(("xmlns:", "data-"))
            ):
                raise _Refused
            if attribute in ("href", "src") and "".join(value.split()).lower().startswith(("javascript:", "vbscript:")):
                raise _Refused
        if name == "img":
            self.says_something = True

    def ends(self, name: str) -> None:
        self.depth -= 1

    def text(self, data: str) -> None:
        if not data.isspace():
            self.says_something = True

    def refuse(self, *_: object) -> None:
        raise _Refused


def _entity(found: re.Match[str]) -> str:
    name = found[1]
    return found[0] if name in _OF_XML or name not in name2codepoint else f"&#{name2codepoint[name]};"


def is_narrative(text: str) -> bool:
    """Whether a text is one XHTML `div` of allowed content that is not blank. Never follows or expands anything.

    >>> is_narrative('<div xmlns="http://www.w3.org/1999/xhtml"><p>Seen&nbsp;today</p></div>')
    True
    >>> is_narrative('<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>')
    False
    """
    check = _Check()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = check.begins, check.ends
    parser.CharacterDataHandler = check.text
    # No document type, so no entities of its own, internal or external.
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = check.refuse
    try:
        parser.Parse(_ENTITY.sub(_entity, text).encode("utf-8", "surrogatepass"), True)
    except (_Refused, expat.ExpatError):
        return False
    return check.says_something
