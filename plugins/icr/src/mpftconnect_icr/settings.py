"""Settings of both adapters: `[systems.<name>.settings]` of a configuration. No secret is ever a setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, model_validator

from mpftconnect.model import Model
from mpftconnect_icr.layout import FIND, OPERATIONS, PATIENT, WORDS

__all__ = ["ALSO", "PATIENT_NUMBER_SYSTEM", "CcapiSettings", "IcrFhirSettings"]

# Assumed: no namespace of the local patient numbers is published. Regions number people apart, so a configuration of
# two integrated care records gives each its own.
PATIENT_NUMBER_SYSTEM = "https://mpftconnect.example/Id/icr-patient-number"

# What a server may offer beyond HL7 UK's draft, by resource type, each with the section that it fills.
Also = Literal[
    "CarePlan",
    "Condition",
    "Observation",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Appointment",
    "ServiceRequest",
    "Flag",
]
ALSO: tuple[Also, ...] = (
    *("CarePlan", "Condition", "Observation", "DiagnosticReport", "DocumentReference"),
    *("Encounter", "Appointment", "ServiceRequest", "Flag"),
)


class CcapiSettings(Model):
    """Settings of `icr-ccapi`.

    Args:
        auth: `client-credentials` (secrets `client_id` and `client_secret`) or `bearer` (secret `token`).
        token_url: For `client-credentials`.
        patient_number_system: Namespace of this record's local patient numbers.
        paths: Paths below the endpoint that differ, by operation; `{detail_id}` stands for the patient detail id.
        collections: Members that hold an answer's rows, where they differ, by operation.
        members: Members of a row that differ, by operation and field; `""` for a field that there is not. Those of
            one investigation of a pathology result begin with `Investigation.`.
        words: What further words of coded fields mean, by field.
        not_offered: Operations that the subscription does not include: what they would give is told as not offered.
        page_size: `PageSize` of every paged request.
        page_limit: More pages than these are taken for a fault.
    """

    auth: Literal["client-credentials", "bearer"] = "client-credentials"
    token_url: str | None = None
    patient_number_system: str = PATIENT_NUMBER_SYSTEM
    paths: Mapping[str, str] = Field(default_factory=dict)
    collections: Mapping[str, str] = Field(default_factory=dict)
    members: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    not_offered: tuple[str, ...] = ()
    page_size: int = Field(default=100, ge=1, le=1000)
    page_limit: int = Field(default=200, ge=1, le=10_000)

    @model_validator(mode="after")
    def _makes_sense(self) -> CcapiSettings:
        mistakes = list(self._mistakes())
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _mistakes(self) -> Iterator[str]:
        if self.auth == "client-credentials" and not self.token_url:
            yield 'auth = "client-credentials" needs token_url'
        names = ", ".join(OPERATIONS)
        for key, given in (("paths", self.paths), ("collections", self.collections)):
            for name in given:
                if name != FIND and name not in OPERATIONS:
                    yield f"{key}.{name}: no such operation; operations are {FIND}, {names}"
        for name in self.not_offered:
            if name not in OPERATIONS:
                yield f"not_offered: {name}: no such operation; operations are {names}"
        for name, path in self.paths.items():
            if name in OPERATIONS and path.count("{detail_id}") != 1:
                yield f"paths.{name}: expected {{detail_id}} once"
        for name, members in self.members.items():
            known = _members(name)
            if known is None:
                yield f"members.{name}: no such operation"
            else:
                yield from (f"members.{name}.{field}: no such field" for field in members if field not in known)
        for field in ("detail_id", "nhs_number", "birth_date"):
            if field not in self.places(FIND):
                yield f"members.{FIND}.{field}: this member is needed and cannot be switched off"
        for field in self.words:
            if field not in WORDS:
                yield f"words.{field}: no such field; fields are {', '.join(WORDS)}"

    def path(self, name: str, default: str) -> str:
        """The path of an operation."""
        return self.paths.get(name, default)

    def collection(self, name: str, default: str) -> str:
        """The member that holds an operation's rows."""
        return self.collections.get(name, default)

    def places(self, name: str) -> dict[str, str]:
        """Where in a row each field stands, without those that there are not."""
        known = _members(name) or {}
        return {field: place for field, place in {**known, **self.members.get(name, {})}.items() if place}

    def meaning(self, field: str, word: str) -> str | None:
        """What a word of a coded field means; None if nobody has said."""
        given = {key.strip().lower(): meaning for key, meaning in self.words.get(field, {}).items()}
        return {**WORDS[field], **given}.get(word.strip().lower())


def _members(name: str) -> Mapping[str, str] | None:
    if name == FIND:
        return PATIENT
    return OPERATIONS[name].members if name in OPERATIONS else None


class IcrFhirSettings(Model):
    """Settings of `icr-fhir`.

    Args:
        auth: `bearer` (secret `token`), `client-credentials` (secrets `client_id` and `client_secret`), `signed-jwt`
            (secrets `api_key` and `private_key`) or `none`.
        token_url: For `client-credentials` and `signed-jwt`.
        key_id: For `signed-jwt`.
        page_size: `_count` of every search; the server's own choice if None.
        also_reads: Resource types beyond HL7 UK's draft that this server is asked for, where its own capability
            statement offers them.
        document_max_bytes: Documents larger than this are not fetched.
    """

    auth: Literal["bearer", "client-credentials", "signed-jwt", "none"] = "bearer"
    token_url: str | None = None
    key_id: str | None = None
    page_size: int | None = Field(default=100, ge=1, le=1000)
    also_reads: tuple[Also, ...] = ()
    document_max_bytes: int = Field(default=10_000_000, ge=1)

    @model_validator(mode="after")
    def _auth_needs(self) -> IcrFhirSettings:
        if self.auth in ("client-credentials", "signed-jwt") and not self.token_url:
            raise ValueError(f'auth = "{self.auth}" needs token_url')
        if self.auth == "signed-jwt" and not self.key_id:
            raise ValueError('auth = "signed-jwt" needs key_id')
        return self
