"""What must be known of a message before it is understood: who sends it, its control id, how it wants to be answered.

MSH alone is read, from the bytes, so that whatever the rest of a message is, it can be kept and answered.
Source: HL7 v2.5.1, chapter 2, sections 2.9 (processing rules) and 2.15.9 (MSH).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Header", "NotAMessage", "header_of"]


class NotAMessage(Exception):
    """What came cannot be taken as a message. `code` is of HL7 table 0357; no value is repeated."""

    def __init__(self, code: str, place: str, rule: str, header: Header | None = None) -> None:
        self.code, self.place, self.rule, self.header = code, place, rule, header
        super().__init__(f"{place}: {rule}")


class Header(NamedTuple):
    """MSH, as far as receiving needs it; texts in Latin-1, in which every byte is a character.

    Args:
        separators: Field separator, then MSH-2.
        application: MSH-3.
        facility: MSH-4.
        receiver: MSH-5 and MSH-6.
        control_id: MSH-10.
        kind: MSH-9: type, trigger and structure.
        processing: MSH-11.
        version: MSH-12, its first component.
        accept: MSH-15: when a commit acknowledgement is wanted: AL, NE, ER, SU.
        answer: MSH-16: when an application acknowledgement is wanted.
    """

    separators: str
    application: str
    facility: str
    receiver: tuple[str, str]
    control_id: str
    kind: str
    processing: str
    version: str
    accept: str
    answer: str

    @property
    def sender(self) -> str:
        """MSH-3 and MSH-4 together: who numbered the message."""
        return f"{self.application}|{self.facility}"

    @property
    def mode(self) -> Literal["original", "enhanced"]:
        """HL7 v2.5.1, section 2.9.2: enhanced where MSH-15 or MSH-16 is valued."""
        return "enhanced" if self.accept or self.answer else "original"

    def __repr__(self) -> str:
        return f"<Header {self.kind}>"


def header_of(raw: bytes) -> Header:
    r"""Read MSH.

    Raises:
        NotAMessage: It is no message that could be kept and answered.

    >>> header = header_of(b"MSH|^~\\&|RIO|RRE|||20260102||ADT^A01|7|P|2.4\rPID|1")
    >>> header.sender, header.control_id, header.mode
    ('RIO|RRE', '7', 'original')
    """
    start = 0 if raw[:3] == b"MSH" else len(raw) - len(raw.lstrip(b"\r\n"))
    if raw[start : start + 3] in (b"FHS", b"BHS"):
        raise NotAMessage("100", "MSH", "a batch does not come by MLLP: send its messages one by one, or as a file")
    if raw[start : start + 3] != b"MSH" or len(raw) < start + 8:
        raise NotAMessage("100", "MSH", "a message begins with MSH")
    # Looked for in the beginning alone: a message may be long, its header never is.
    line = raw[start : start + 8192].partition(b"\r")[0].partition(b"\n")[0]
    separator = line[3:4]
    if len(line) < 8 or separator.isalnum() or separator in (b"\r", b"\n", b" "):
        raise NotAMessage("100", "MSH-1", "no field separator")
    mark = separator.decode("latin-1")
    fields = line.decode("latin-1").split(mark)
    fields += [""] * (20 - len(fields))
    component = fields[1][:1] or "^"
    header = Header(
        separators=mark + fields[1],
        application=fields[2],
        facility=fields[3],
        receiver=(fields[4], fields[5]),
        control_id=fields[9],
        kind=fields[8],
        processing=fields[10],
        version=fields[11].split(component)[0],
        accept=fields[14],
        answer=fields[15],
    )
    if not header.kind:
        raise NotAMessage("101", "MSH-9", "the message type is missing", header)
    if not header.control_id:
        raise NotAMessage("101", "MSH-10", "the control id is missing", header)
    if len(header.control_id) > 199 or not header.control_id.isprintable():
        raise NotAMessage("102", "MSH-10", "the control id is not a short printable text", header)
    return header
