"""What a check finds: a permanent code, a place, a rule. Never a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CODES", "Finding", "Severity"]

Severity = Literal["error", "warning", "information"]

# Code -> its severity in the standard, and what it is about. Documented in docs/hl7v2/findings.md, tested against this.
CODES: dict[str, tuple[Severity, str]] = {
    # Reading
    "no-header": ("error", "The bytes do not begin with MSH: no message"),
    "header-cut-short": ("error", "MSH ends before it names its field separator"),
    "field-separator": ("error", "MSH-1 is no character that can divide fields"),
    "a-batch": ("error", "A batch or file of messages where one message was expected"),
    "undecodable": ("error", "The bytes are not the UTF-16 or UTF-32 that they begin as"),
    "too-large": ("error", "The message is larger than is read"),
    "too-many-segments": ("error", "More segments than are read"),
    "too-many-fields": ("error", "More fields than are read"),
    "too-many-parts": ("error", "More repetitions, components and sub-components than are read"),
    # Streams
    "batch-count": ("error", "BTS-1 is not the number of messages that came"),
    "file-count": ("error", "FTS-1 is not the number of batches that came"),
    "batch-not-closed": ("error", "A batch ends without BTS"),
    "file-not-closed": ("error", "A file of batches ends without FTS"),
    "wrapper-order": ("error", "A batch or file segment stands where none can"),
    "outside-message": ("error", "Text that belongs to no message"),
    "unreadable-file": ("error", "A file cannot be opened or read"),
    # Header
    "encoding-characters": ("error", "MSH-2 repeats a delimiter, has a letter or digit, or too many characters"),
    "encoding-characters-missing": ("error", "MSH-2 is empty: the standard's delimiters were used"),
    "version-missing": ("error", "MSH-12 is empty: judged as the version that the site names, else 2.4"),
    "version-unknown": ("error", "MSH-12 is no version from 2.1 to 2.8.2: judged as the one before it, else as 2.4"),
    "type-missing": ("error", "MSH-9 does not say a message type"),
    "structure-unknown": ("warning", "The version has no structure for this message type: order was not judged"),
    "structure-mismatch": ("error", "MSH-9.3 is not the structure of the message type and trigger event"),
    "trigger-mismatch": ("error", "EVN-1 is not the trigger event of MSH-9"),
    "charset-unknown": ("error", "MSH-18 is no known character set"),
    "charset-not-in-table": ("warning", "MSH-18 is written otherwise than in table 0211"),
    "charset-undeclared": ("error", "The bytes are not ASCII, and MSH-18 declares no character set"),
    "charset-false": ("error", "The bytes are not of the character set that is declared"),
    "charset-doubtful": ("warning", "The bytes of a single-byte character set are UTF-8 throughout"),
    "bytes-undecodable": ("error", "Bytes that the character set does not have; they are kept as they are"),
    # Structure
    "segment-name": ("error", "A line does not begin with a segment's name"),
    "segment-unknown": ("error", "The version has no such segment, and its name does not begin with Z"),
    "segment-withdrawn": ("warning", "A segment that this version has withdrawn: it has no fields any more"),
    "segment-not-allowed": ("error", "A site overlay does not list this Z-segment"),
    "segment-unexpected": ("error", "The structure has no such segment"),
    "segment-missing": ("error", "A required segment is not there"),
    "segment-order": ("error", "A segment stands where the structure does not have it"),
    "segment-repeats": ("error", "A segment repeats where the structure has it once"),
    "continued": ("information", "The message continues elsewhere, or continues another (ADD, DSC, MSH-14)"),
    "line-feed": ("warning", "A line feed stands inside a field that should have an escape"),
    # Fields
    "field-required": ("error", "A required field is empty"),
    "field-null": ("warning", "A required field is null"),
    "field-repeats": ("error", "A field repeats more often than it may"),
    "field-extra": ("warning", "More fields than the segment has in this version"),
    "field-withdrawn": ("warning", "A field that this version has withdrawn or does not use here"),
    "field-forbidden": ("error", "A site overlay says that this field is not sent"),
    "component-required": ("error", "A required component is empty"),
    "component-extra": ("warning", "More components than the type has in this version"),
    "subcomponent-extra": ("warning", "More sub-components than the type has, or one that has no place there"),
    "not-a-number": ("error", "Not a number (NM)"),
    "not-a-sequence-id": ("error", "Not a sequence id (SI)"),
    "not-a-date": ("error", "Not a date that exists, as HL7 writes dates (DT)"),
    "not-a-time": ("error", "Not a time, as HL7 writes times (TM)"),
    "not-a-date-time": ("error", "Not a date and time that exist, as HL7 writes them (TS, DTM)"),
    "table-value": ("error", "Not a code of the HL7 table"),
    "user-table-value": ("warning", "Not a suggested code of the user-defined table"),
    "too-long": ("warning", "Longer than the data type allows (an error from 2.7 on, where the length is normative)"),
    "escape-malformed": ("warning", "An escape sequence that is unknown or not closed"),
    "obx-type-missing": ("error", "OBX-5 has a value, and OBX-2 does not say of which type"),
    "obx-type-unknown": ("error", "OBX-2 names no data type of this version"),
    # UK
    "nhs-number-missing": ("warning", "No repetition of PID-3 carries an NHS number"),
    "nhs-number-authority": ("error", "A number of type NH without the authority NHS"),
    "nhs-number-type": ("warning", "An NHS number whose type (PID-3.5) is not NH"),
    "nhs-number-invalid": ("error", "An NHS number that is not ten digits with the right check digit"),
    "nhs-number-repeats": ("error", "More than one NHS number"),
    "nhs-number-form": ("warning", "An NHS number written with spaces or hyphens"),
    "nhs-number-status": ("warning", "PID-32 says no NHS number status, or one that does not exist"),
    "nhs-number-status-contradicts": ("error", "PID-32 says that no number is present, and PID-3 has one"),
    "ods-code": ("warning", "Not the form of an ODS code"),
    "uk-version": ("warning", "UK specifications are of 2.4 and 2.5.1; the message is of another version"),
    # Sites
    "site-too-long": ("error", "Longer than the site overlay allows"),
    "site-table-value": ("error", "Not a code of the table that the site overlay names"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Args:
        severity: `error`, `warning` or `information`; a site overlay may lower it.
        code: Permanent; the keys of `CODES`.
        location: A path, `PID-5[1].2`; a segment, `OBX[3]`; "" for the message as a whole.
        rule: What decides: `HL7 2.4 PID-5 (XPN)`, `table 0001`, `UK`, or the overlay's name.
        message: One sentence: what is expected. Never what was found.
        reason: Why a site overlay lowered it; None if none did.
    """

    severity: Severity
    code: str
    location: str
    rule: str
    message: str
    reason: str | None = None

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        lowered = f" (lowered: {self.reason})" if self.reason else ""
        return f"{self.severity}: {place}{self.message} [{self.code}; {self.rule}]{lowered}"
