"""Character sets: what MSH-18 says, what the bytes say, and text from which the same bytes can be made again.

Names are those of HL7 table 0211 (2.8.2, chapter 2C). A byte that the character set does not have becomes a lone
surrogate (`surrogateescape`, PEP 383): its place can be told, and the byte itself comes back unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Charset", "choose", "codec_of", "is_in_table", "undecodable", "wide_codec"]

# Python's codec by table 0211. ISO IR6 is ASCII by another name; JAS2020 is a subset of ISO-2022-JP.
_CODECS = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "JAS2020": "iso2022_jp",
    "JIS X 0202": "iso2022_jp",
}
# Written by systems that do not keep to the table; read as meant, and `check` says so.
_ALSO = {
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF8": "utf-8",
    "US-ASCII": "ascii",
    "ISO-8859-1": "iso8859-1",
    "ISO8859-1": "iso8859-1",
    "8859-1": "iso8859-1",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
}
# Two and four bytes a character: known by their bytes before anything of the message can be read.
WIDE = ("utf-16", "utf-32")
# Codecs in which every byte sequence comes back exactly from text with lone surrogates.
EXACT = frozenset(
    codec
    for codec in (*_CODECS.values(), *_ALSO.values())
    if codec in ("ascii", "utf-8", "cp1252") or codec.startswith("iso8859")
)


# Byte order marks, longest first, and what MSH begins with where there is none.
_STARTS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"M\0\0\0S\0\0\0", "utf-32-le"),
    (b"\0\0\0M\0\0\0S", "utf-32-be"),
    (b"M\0S\0H\0", "utf-16-le"),
    (b"\0M\0S\0H", "utf-16-be"),
)


def wide_codec(raw: bytes) -> str | None:
    """Which of UTF-16 and UTF-32 a message begins as; None if neither."""
    return next((codec for start, codec in _STARTS if raw.startswith(start)), None)


@dataclass(frozen=True)
class Charset:
    """Which character set a message says, and which one its bytes are read by.

    Args:
        declared: MSH-18, first repetition, as sent; None where it is empty.
        codec: Python's name of the one used.
        problem: A code where the two differ: `unknown`, `not-in-table`, `undeclared`, `false` or `doubtful`.
    """

    declared: str | None
    codec: str
    problem: str | None = None


def codec_of(name: str) -> str | None:
    """Python's codec for a name of table 0211, or a name that is often written instead; None if unknown.

    >>> codec_of("8859/1"), codec_of("UNICODE UTF-8"), codec_of("utf8"), codec_of("EBCDIC")
    ('iso8859-1', 'utf-8', 'utf-8', None)
    """
    name = name.strip().upper()
    return _CODECS.get(name) or _ALSO.get(name)


def is_in_table(name: str) -> bool:
    """Whether table 0211 has the name, letter by letter."""
    return name in _CODECS


def choose(raw: bytes, declared: str | None, agreed: str | None = None) -> Charset:
    """Which codec a message's bytes are read by.

    Args:
        raw: The message.
        declared: MSH-18, first repetition.
        agreed: A name of table 0211 that the site agreed with the sender; used where MSH-18 is empty.

    MSH-18 left empty means ASCII (HL7 2.5.1, 2.15.9.18). Bytes that are not ASCII and are UTF-8 throughout are read as
    UTF-8, and the finding says that nothing declared it; anything else is not guessed at.
    """
    plain = raw.isascii()
    name = declared or agreed
    codec = codec_of(name) if name else "ascii"
    if codec is None:
        return Charset(declared, "ascii" if plain else _judged(raw), "unknown")
    written = "not-in-table" if declared and not is_in_table(declared) else None
    if plain:
        # Bytes that are plain may still be escape sequences of ISO 2022, which only their codec reads.
        return Charset(declared, "ascii" if codec in WIDE else codec, "false" if codec in WIDE else written)
    if codec in WIDE:
        return Charset(declared, _judged(raw), "false")
    if codec == "ascii":
        return Charset(declared, _judged(raw), "false" if declared or agreed else "undeclared")
    if codec == "utf-8":
        return Charset(declared, codec, "false" if _judged(raw) != "utf-8" else written)
    if codec in EXACT and _judged(raw) == "utf-8":
        return Charset(declared, codec, "doubtful")
    return Charset(declared, codec, written)


def _judged(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "ascii"
    return "utf-8"


def undecodable(text: str) -> bool:
    """Whether text holds a byte that its character set does not have.

    >>> undecodable(b"caf\\xe9".decode("ascii", "surrogateescape")), undecodable("café")
    (True, False)
    """
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
