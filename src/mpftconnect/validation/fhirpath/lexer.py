"""An expression's text as tokens. Linear in the length of the text, which is limited.

Source:
    FHIRPath N1 (2.0.0), 12.1 "Lexical Elements", and the grammar that the specification publishes with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mpftconnect.errors import FhirPathError

__all__ = ["LONGEST_EXPRESSION", "Token", "tokenise"]

# The longest constraint of the published core packages has fewer than 1,000 characters.
LONGEST_EXPRESSION = 20_000

_DATE = r"\d{4}(?:-\d{2}(?:-\d{2})?)?"
_TIME = r"\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_TOKEN = re.compile(
    rf"""
    (?P<space>   (?:[ \t\r\n\f\v\u00a0\ufeff]+ | //[^\r\n]* | /\*.*?\*/)+ )
  | (?P<time>    @T{_TIME} )
  | (?P<moment>  @{_DATE}(?:T(?:{_TIME}(?:Z|[+-]\d{{2}}:\d{{2}})?)?)? )
  | (?P<number>  \d+(?:\.\d+)? )
  | (?P<string>  '(?:[^'\\]|\\.)*' )
  | (?P<quoted>  `(?:[^`\\]|\\.)*` )
  | (?P<name>    [A-Za-z_][A-Za-z0-9_]* )
  | (?P<symbol>  <=|>=|!=|!~|\$(?:this|index|total)\b|[-+*/|&()\[\]{{}}.,=<>~%] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_MEANING = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


class Token(NamedTuple):
    """One token. `kind`: time, moment, number, string, quoted, name, symbol or end."""

    kind: str
    text: str
    position: int


def _unescaped(found: re.Match[str]) -> str:
    code, character = found.groups()
    if code:
        return chr(int(code, 16))
    if character in _MEANING:
        return _MEANING[character]
    # The grammar takes any other escape as the two characters, which regular expressions rely on.
    return character if character in "'\"`\\/" else "\\" + character


def tokenise(text: str) -> list[Token]:
    """The tokens of an expression, without white space and comments, closed by one of kind `end`.

    Raises:
        FhirPathError: A character that begins no token, an open string or comment, or too long a text.

    >>> [token.text for token in tokenise("name.given /* all */ = 'P\\\\u0065ter'")]
    ['name', '.', 'given', '=', 'Peter', '']
    """
    if len(text) > LONGEST_EXPRESSION:
        raise FhirPathError(f"longer than {LONGEST_EXPRESSION} characters", position=0)
    tokens = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            opened = {"'": "a string", "`": "a quoted name"}.get(text[at])
            rule = f"{opened} is not closed" if opened else "a character that begins no token"
            raise FhirPathError(rule, position=at)
        kind = found.lastgroup or ""
        if kind != "space":
            if kind == "symbol" and found[0] == "/" and text.startswith("/*", at):
                raise FhirPathError("a comment is not closed", position=at)
            written = found[0]
            if kind in ("string", "quoted"):
                written = written[1:-1]
                if "\\" in written:
                    written = _ESCAPE.sub(_unescaped, written)
            tokens.append(Token(kind, written, at))
        at = found.end()
    tokens.append(Token("end", "", len(text)))
    return tokens
