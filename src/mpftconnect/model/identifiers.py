"""NHS numbers and other identifiers."""

from __future__ import annotations

from operator import mul
from typing import Annotated, NewType

from pydantic import AfterValidator

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model.schema import Model

__all__ = [
    "NHS_NUMBER_SYSTEM",
    "ODS_ORGANIZATION_SYSTEM",
    "ODS_SITE_SYSTEM",
    "Identifier",
    "NhsNumber",
    "ValidNhsNumber",
    "format_nhs_number",
    "is_test_number",
    "nhs_number",
]

# FHIR identifier systems: UK Core R4, Patient.identifier:nhsNumber, Organization.identifier:odsOrganisationCode
# and :odsSiteCode.
NHS_NUMBER_SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
ODS_ORGANIZATION_SYSTEM = "https://fhir.nhs.uk/Id/ods-organization-code"
ODS_SITE_SYSTEM = "https://fhir.nhs.uk/Id/ods-site-code"

_WEIGHTS = range(10, 0, -1)

NhsNumber = NewType("NhsNumber", str)


def nhs_number(text: str) -> NhsNumber:
    """Read an NHS number, checking its check digit.

    Args:
        text: Ten digits; spaces and hyphens allowed.
    Returns:
        Ten digits without separators: the form that FHIR identifiers carry.
    Raises:
        NotAnNhsNumber: Not ten ASCII digits, or the modulus 11 check digit is wrong.
    Source:
        NHS Data Dictionary, data element NHS NUMBER: the Modulus 11 algorithm, steps 1 to 5.

    >>> nhs_number("999 000 0018")
    '9990000018'
    """
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        raise NotAnNhsNumber("an NHS number is ten digits")
    # The check digit makes the weighted sum of all ten digits, by 10 down to 1, a multiple of eleven. Where it would
    # have to be 10, the number is not one (step 5), and no digit does that.
    if sum(map(mul, map(int, digits), _WEIGHTS)) % 11:
        raise NotAnNhsNumber("the check digit of the NHS number does not match")
    return NhsNumber(digits)


def format_nhs_number(number: str) -> str:
    """The number as people read it: three, three and four digits.

    >>> format_nhs_number("9990000018")
    '999 000 0018'
    """
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def is_test_number(number: str) -> bool:
    """Whether the number is in the 999 range, which is never issued to a person.

    >>> is_test_number("9990000018"), is_test_number("4010232137")
    (True, False)
    """
    return number.startswith("999")


ValidNhsNumber = Annotated[NhsNumber, AfterValidator(nhs_number)]


class Identifier(Model):
    """A business identifier (FHIR `Identifier`).

    Args:
        system: Namespace, a URI.
        value: The identifier in that namespace.
        type: What sort it is, in words or as a code.
        use: FHIR `Identifier.use`: usual, official, temp, secondary or old.
        verification_status: NHS number verification status code, `01` (present and verified) to `08`
            (UK Core, CodeSystem UKCore-NHSNumberVerificationStatusEngland). Only 01 is safe to share by.

    >>> Identifier.nhs("999 000 0018").value
    '9990000018'
    """

    system: str | None = None
    value: str | None = None
    type: str | None = None
    use: str | None = None
    verification_status: str | None = None

    @classmethod
    def nhs(cls, number: str, verification_status: str | None = None) -> Identifier:
        """An NHS number as an identifier."""
        return cls(system=NHS_NUMBER_SYSTEM, value=nhs_number(number), verification_status=verification_status)

    @property
    def is_nhs_number(self) -> bool:
        return self.system == NHS_NUMBER_SYSTEM
