"""FHIR STU3 (3.0.2), Care Connect and GP Connect, into the common model, with nothing lost.

The tables stand on those of R4: an element that is the same is the same line. What is left over is kept in the item's
`extra`, as in R4.
"""

from mpftconnect.fhir.stu3.resources import STU3_READS_TYPES, read_stu3_resource, write_stu3_resource
from mpftconnect.fhir.stu3.urls import both

__all__ = ["STU3_READS_TYPES", "both", "read_stu3_resource", "write_stu3_resource"]
