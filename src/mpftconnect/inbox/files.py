"""Messages in files: one, several, framed as by MLLP, or in a batch."""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["messages_in"]

# HL7 v2.5.1, chapter 2, section 2.10.3: batch and file segments stand around messages.
_WRAPPERS = re.compile(rb"(?:^|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)[^\r\n]*[\r\n]*")
_BEGIN = re.compile(rb"(?:^|(?<=[\r\n\x0b]))MSH(?=[^A-Za-z0-9\s])")


def messages_in(data: bytes) -> list[bytes]:
    r"""The messages, in order, each as it stands; line ends of the file become those of HL7.

    >>> messages_in(b"MSH|^~\\&|a\nPID|1\n\nMSH|^~\\&|b\n")
    [b'MSH|^~\\&|a\rPID|1\r', b'MSH|^~\\&|b\r']
    """
    plain = _WRAPPERS.sub(b"", data.replace(b"\x1c\r", b"\r").replace(b"\x0b", b"").lstrip(b"\xef\xbb\xbf"))
    starts = [found.start() for found in _BEGIN.finditer(plain)]
    pieces = [plain[start:end] for start, end in pairwise([*starts, len(plain)])]
    return [re.sub(rb"[\r\n]+", b"\r", piece.strip(b"\r\n \x1c") + b"\r") for piece in pieces]
