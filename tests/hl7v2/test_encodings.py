"""Character sets: what is declared, what the bytes are, and every byte back again."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.hl7v2 import check, parse
from mpftconnect.hl7v2.escapes import unescape

LINE = "MSH|^~\\&|A|ZZ1|B|ZZ2|20260102||ADT^A08^ADT_A01|M1|P|2.4||||||{}\rPID|1||1||{}|\r"


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        ("ASCII", "ascii", "Zoe"),
        ("", "ascii", "Zoe"),
        ("8859/1", "iso8859-1", "Zoë"),
        ("8859/2", "iso8859-2", "Łucja"),
        ("8859/7", "iso8859-7", "Ωμέγα"),
        ("8859/15", "iso8859-15", "Œuvre€"),
        ("UNICODE UTF-8", "utf-8", "Zoë Łucja 山"),
        ("UNICODE UTF-16", "utf-16-le", "Zoë 山"),
        ("UNICODE UTF-16", "utf-16-be", "Zoë 山"),
        ("UNICODE UTF-32", "utf-32-le", "Zoë 山"),
        ("UNICODE UTF-32", "utf-32-be", "Zoë 山"),
        ("GB 18030-2000", "gb18030", "张三"),
        ("KS X 1001", "euc_kr", "홍길동"),
        ("BIG-5", "big5", "張三"),
        ("ISO IR87", "iso2022_jp", "山田太郎"),
        ("WINDOWS-1252", "cp1252", "Zoë’s"),
    ],
)
@pytest.mark.parametrize("mark", [False, True])
def test_names_are_read_by_the_set_that_is_declared(declared: str, codec: str, name: str, mark: bool) -> None:
    raw = LINE.format(declared, name).encode(codec)
    if mark and codec.startswith("utf-"):
        order = {"utf-8": codecs.BOM_UTF8}.get(codec, "\ufeff".encode(codec))
        raw = order + raw
    message = parse(raw)
    assert message["PID-5"] == name
    assert bytes(message) == raw
    assert [one.code for one in check(message) if one.code.startswith(("charset", "bytes"))] == (
        ["charset-not-in-table"] if declared.startswith("WIN") else []
    )
    assert bytes(message.set("PID-8", "F")) == raw[: -len("\r".encode(codec))] + "||F\r".encode(codec)


@pytest.mark.parametrize(
    ("declared", "data", "problem", "read"),
    [
        ("", "Zoë".encode(), "undeclared", "Zoë"),
        ("", "Zoë".encode("latin-1"), "undeclared", "Zo\udceb"),
        ("ASCII", "Zoë".encode(), "false", "Zoë"),
        ("UNICODE UTF-8", "Zoë".encode("latin-1"), "false", "Zo\udceb"),
        ("8859/1", "Zoë".encode(), "doubtful", "ZoÃ«"),
        ("EBCDIC", "Zoë".encode(), "unknown", "Zoë"),
        ("UNICODE UTF-16", b"Zoe", "false", "Zoe"),
        ("utf8", "Zoë".encode(), "not-in-table", "Zoë"),
    ],
)
def test_a_set_that_is_not_so_is_told_and_the_bytes_are_kept(
    declared: str, data: bytes, problem: str, read: str
) -> None:
    raw = LINE.encode().replace(b"{}", declared.encode(), 1).replace(b"{}", data, 1)
    message = parse(raw)
    assert (message.charset.problem, message["PID-5"]) == (problem, read)
    assert bytes(message) == raw
    codes = {(one.code, one.location) for one in check(message)}
    assert (f"charset-{problem}", "MSH-18") in codes
    assert (("bytes-undecodable", "PID-5") in codes) == ("\udceb" in read)


def test_what_was_agreed_holds_where_nothing_is_declared() -> None:
    raw = LINE.encode().replace(b"{}", b"", 1).replace(b"{}", b"Zo\xeb", 1)
    message = parse(raw, encoding="8859/1")
    assert message["PID-5"] == "Zoë"
    assert message.charset.problem is None
    declared = LINE.encode().replace(b"{}", b"UNICODE UTF-8", 1).replace(b"{}", "Zoë".encode(), 1)
    assert parse(declared, encoding="8859/1")["PID-5"] == "Zoë"


def test_a_byte_order_mark_declares_utf_8() -> None:
    raw = codecs.BOM_UTF8 + LINE.format("", "Zoë").encode()
    message = parse(raw)
    assert (message["PID-5"], message.charset.problem) == ("Zoë", None)
    assert parse(raw[3:]).charset.problem == "undeclared"


def test_shifts_of_iso_2022_are_read() -> None:
    shifted = "山".encode("iso2022_jp")[3:5].decode("ascii")
    assert unescape(f"a \\M2442\\{shifted}\\C2842\\ b") == "a 山 b"
    assert unescape("\\C9999\\x\\Mzz\\") == "\\C9999\\x\\Mzz\\"


@given(
    st.binary(max_size=60), st.sampled_from(["", "8859/1", "8859/8", "UNICODE UTF-8", "ISO IR87", "BIG-5", "CP1252"])
)
def test_every_byte_comes_back(data: bytes, declared: str) -> None:
    raw = LINE.encode().replace(b"{}", declared.encode(), 1).replace(b"{}", data, 1)
    message = parse(raw)
    assert bytes(message) == raw
    assert bytes(message.set("MSH-10", "M2")) == raw.replace(b"|M1|", b"|M2|", 1)
