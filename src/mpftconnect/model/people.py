"""People and organisations."""

from __future__ import annotations

from typing import Literal

from mpftconnect.model.coded import Concept, Period, Reference
from mpftconnect.model.dates import PartialDate, When
from mpftconnect.model.identifiers import Identifier
from mpftconnect.model.provenance import Item
from mpftconnect.model.schema import Model

__all__ = [
    "Actor",
    "Address",
    "CommunicationNeed",
    "ContactPoint",
    "Demographics",
    "HumanName",
    "Location",
    "Organization",
    "Patient",
    "Practitioner",
    "RelatedPerson",
    "Restriction",
]

# PDS: Patient.meta.security, v3 Confidentiality: U unrestricted, R restricted, V very restricted; REDACTED where
# the record is there and nothing may be shown. Source: PDS FHIR API, specification/components/paths/patient-get.yaml.
Restriction = Literal["U", "R", "V", "REDACTED"]


class HumanName(Model):
    """A name (FHIR `HumanName`); `use` is usual, official, nickname, old, maiden, temp or anonymous."""

    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    period: Period | None = None

    def words(self) -> str:
        """The name in the NHS way: family name in capitals first.

        >>> HumanName(family="Okafor", given=("Grace",), prefix=("Mrs",)).words()
        'OKAFOR, Grace (Mrs)'
        """
        if not self.family and not self.given:
            return self.text or "name not stated"
        name = ", ".join(part for part in ((self.family or "").upper(), " ".join(self.given)) if part)
        return f"{name} ({' '.join(self.prefix)})" if self.prefix else name


class Address(Model):
    """An address (FHIR `Address`)."""

    use: str | None = None
    type: str | None = None
    text: str | None = None
    line: tuple[str, ...] = ()
    city: str | None = None
    district: str | None = None
    postal_code: str | None = None
    country: str | None = None
    period: Period | None = None

    def words(self) -> str:
        parts = (*self.line, self.city, self.district, self.postal_code, self.country)
        return ", ".join(part for part in parts if part) or self.text or "address not stated"


class ContactPoint(Model):
    """A telephone number or the like (FHIR `ContactPoint`)."""

    system: str | None = None
    value: str | None = None
    use: str | None = None
    rank: int | None = None
    period: Period | None = None

    def words(self) -> str:
        return " ".join(part for part in (self.value or "not stated", f"({self.use})" if self.use else None) if part)


class Actor(Model):
    """Who did something: a person, a role, an organisation, or as much of these as the source says.

    Args:
        name: Person's or team's name as shown.
        role: In what role.
        identifier: Registration or role-profile identifier.
        organization: Name of the organisation.
        organization_code: Its ODS code.
        reference: The source's own pointer to the actor.
        telecom: How to reach them.
    """

    name: str | None = None
    role: str | None = None
    identifier: Identifier | None = None
    organization: str | None = None
    organization_code: str | None = None
    reference: str | None = None
    telecom: tuple[ContactPoint, ...] = ()

    def words(self) -> str:
        """Name, role and organisation, as far as they are known.

        >>> Actor(name="Sam Patel", role="care coordinator", organization_code="RRE").words()
        'Sam Patel, care coordinator, RRE'
        """
        organization = self.organization or self.organization_code
        return ", ".join(part for part in (self.name, self.role, organization) if part) or "not stated"


class Organization(Item):
    """An organisation (FHIR `Organization`), known by its ODS code."""

    name: str | None = None
    ods_code: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    type: Concept | None = None
    telecom: tuple[ContactPoint, ...] = ()
    address: tuple[Address, ...] = ()
    active: bool | None = None

    def words(self) -> str:
        return f"{self.name or 'name not stated'} ({self.ods_code or 'no ODS code'})"


class Location(Item):
    """A place where care is given (FHIR `Location`)."""

    name: str | None = None
    status: str | None = None
    description: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    type: Concept | None = None
    telecom: tuple[ContactPoint, ...] = ()
    address: Address | None = None
    organization: Actor | None = None

    def words(self) -> str:
        return self.name or self.description or "place, name not stated"


class Practitioner(Item):
    """A professional (FHIR `Practitioner` with `PractitionerRole`)."""

    identifiers: tuple[Identifier, ...] = ()
    names: tuple[HumanName, ...] = ()
    role: Concept | None = None
    organization: Actor | None = None
    telecom: tuple[ContactPoint, ...] = ()
    active: bool | None = None

    def words(self) -> str:
        name = self.names[0].words() if self.names else "name not stated"
        return f"{name}, {self.role.words()}" if self.role else name


class CommunicationNeed(Model):
    """A language or a way of communicating that the person needs.

    Args:
        language: The language, or the communication method.
        preferred: Whether it is the preferred one.
        interpreter_required: None where the source does not say.
        note: Anything else that helps, as the source words it.
    """

    language: Concept | None = None
    preferred: bool | None = None
    interpreter_required: bool | None = None
    note: str | None = None

    def words(self) -> str:
        parts = [self.language.words() if self.language else None, "preferred" if self.preferred else None]
        if self.interpreter_required is not None:
            parts.append("interpreter required" if self.interpreter_required else "no interpreter required")
        return ", ".join(part for part in (*parts, self.note) if part) or "not stated"


class Patient(Item):
    """A person as one source knows them (FHIR `Patient`)."""

    identifiers: tuple[Identifier, ...] = ()
    names: tuple[HumanName, ...] = ()
    gender: str | None = None
    birth_date: PartialDate | None = None
    deceased: bool | When | None = None
    death_notification: Concept | None = None
    addresses: tuple[Address, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    general_practitioner: tuple[Actor, ...] = ()
    managing_organization: Actor | None = None
    nominated_pharmacy: tuple[Actor, ...] = ()
    communication: tuple[CommunicationNeed, ...] = ()
    reasonable_adjustments: tuple[Concept, ...] = ()
    ethnic_category: Concept | None = None
    marital_status: Concept | None = None
    birth_place: Address | None = None
    multiple_birth: bool | int | None = None
    active: bool | None = None
    restriction: Restriction | None = None
    replaced_by: tuple[Reference, ...] = ()

    @property
    def nhs_number(self) -> str | None:
        """The current NHS number, if the source gives one."""
        return next((i.value for i in self.identifiers if i.is_nhs_number and i.use != "old"), None)

    @property
    def verification_status(self) -> str | None:
        """NHS number verification status, `01` to `08`; None where the source does not state it."""
        return next((i.verification_status for i in self.identifiers if i.is_nhs_number and i.use != "old"), None)

    @property
    def name(self) -> HumanName | None:
        """The name to show: usual, else official, else the first that is not old."""
        by_use = {name.use: name for name in reversed(self.names)}
        current = [name for name in self.names if name.use not in ("old", "maiden")]
        return by_use.get("usual") or by_use.get("official") or (current[0] if current else None)

    def words(self) -> str:
        return self.name.words() if self.name else "name not stated"


class RelatedPerson(Item):
    """Someone to contact about the person: next of kin, carer, friend, attorney (FHIR `RelatedPerson`)."""

    relationship: tuple[Concept, ...] = ()
    names: tuple[HumanName, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    addresses: tuple[Address, ...] = ()
    gender: str | None = None
    birth_date: PartialDate | None = None
    active: bool | None = None
    period: Period | None = None
    emergency_contact: bool | None = None
    reference: Reference | None = None

    def words(self) -> str:
        name = self.names[0].words() if self.names else "name not stated"
        relation = ", ".join(concept.words() for concept in self.relationship)
        return f"{name} ({relation})" if relation else name


class Demographics(Model):
    """What a user knows of a person: to search by, or to compare with what comes back (`expect=`)."""

    family: str | None = None
    given: tuple[str, ...] = ()
    birth_date: PartialDate | None = None
    gender: str | None = None
    postal_code: str | None = None
    telephone: str | None = None
    email: str | None = None
