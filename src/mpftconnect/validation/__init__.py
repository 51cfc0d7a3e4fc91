"""A FHIR profile validator: right, fast, and says what it did not check.

>>> from mpftconnect.validation import Validator
>>> Validator().validate(b'{"resourceType": "Patient", "birthDate": "1980-02-30"}').findings[0].message
'names a day that does not exist'
"""

from mpftconnect.validation.findings import Finding, NotChecked, Report
from mpftconnect.validation.options import Options
from mpftconnect.validation.terminology.releases.sctid import is_concept_id
from mpftconnect.validation.terminology.service import Asked, Question, TerminologyService
from mpftconnect.validation.validator import Validator

__all__ = [
    "Asked",
    "Finding",
    "NotChecked",
    "Options",
    "Question",
    "Report",
    "TerminologyService",
    "Validator",
    "is_concept_id",
]
