"""The invented organisations, services and professionals around the synthetic people.

Midlands Partnership (ODS code RRE) is real; whatever is said of it here is not. Every other organisation is made up,
with ODS codes that begin with `ZZ`. Telephone numbers are of the ranges that Ofcom keeps for drama.
"""

from __future__ import annotations

from decimal import Decimal

from mpftconnect.model import Actor, Coding, Concept, ContactPoint, Quantity, concept

__all__ = ["SERVICE_CODES", "actor", "at", "coded", "phone", "service", "ucum"]

SERVICE_CODES = "https://mpftconnect.example/sandbox/service"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"

TRUST = "Midlands Partnership University NHS Foundation Trust"
SURGERY = "Mossbridge Surgery"
SURGERY_CODE = "ZZ101"


def actor(
    name: str | None, role: str | None = None, organization: str | None = TRUST, code: str | None = "RRE"
) -> Actor:
    """A professional of the trust, unless another organisation is named."""
    return Actor(name=name, role=role, organization=organization, organization_code=code)


def at(place: str, organization: str | None = TRUST, code: str | None = "RRE") -> Actor:
    """A place where something happens."""
    return Actor(name=place, organization=organization, organization_code=code)


def service(name: str, code: str) -> Concept:
    """A service, in the sandbox's own code system."""
    return concept(name, code, SERVICE_CODES, name)


def coded(code: str, display: str, system: str) -> Concept:
    """A concept of one of HL7's code systems, without a text of its own."""
    return Concept(coding=(Coding(system=HL7 + system, code=code, display=display),))


def phone(number: str, use: str = "home", rank: int | None = None) -> ContactPoint:
    return ContactPoint(system="phone", value=number, use=use, rank=rank)


def ucum(value: str, unit: str, code: str | None = None) -> Quantity:
    """A quantity of a UCUM unit; the value is given as text, so that its digits are kept.

    >>> ucum("72.50", "kg").words()
    '72.50 kg'
    """
    return Quantity(value=Decimal(value), unit=unit, system=UCUM, code=code or unit)


COMMUNITY_NURSING = service("Mossbridge Community Nursing", "community-nursing")
MENTAL_HEALTH = service("Older Adults Community Mental Health Team", "older-adults-cmht")
PODIATRY = service("Podiatry", "podiatry")
LABORATORY = Actor(organization="Northmere Pathology Service", organization_code="ZZ210")
GP = Actor(
    name=SURGERY,
    organization=SURGERY,
    organization_code=SURGERY_CODE,
    telecom=(phone("01632 960100", "work"),),
)
NURSE = actor("Ifeoma Adeyemi-Clarke", "community nursing sister")
COORDINATOR = actor("Tomasz Wilkanowski", "care coordinator")
PSYCHIATRIST = actor("Dr Henrietta Swale", "consultant psychiatrist")
DOCTOR = Actor(
    name="Dr Aurelio Pentland", role="general practitioner", organization=SURGERY, organization_code=SURGERY_CODE
)
PODIATRIST = actor("Marigold Eastaway", "podiatrist")
CRISIS_LINE = Actor(
    name="Mental health crisis line",
    role="24-hour telephone support",
    organization=TRUST,
    organization_code="RRE",
    telecom=(phone("0808 157 0199", "work"),),
)
