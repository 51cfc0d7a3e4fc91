"""A GP Connect structured record, read: one Bundle in, sections of the common model out. No input or output.

Source: GP Connect 1.x, Access Record Structured (nhsconnect/gpconnect, pages/accessrecord_structured); the pages are
named beside what follows from them.
"""

from mpftconnect_gpconnect.structured.record import StructuredRecord, read_structured_record

__all__ = ["StructuredRecord", "read_structured_record"]
