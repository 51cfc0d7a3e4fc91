"""The adapter for the Personal Demographics Service, in application-restricted access.

Source: PDS FHIR API specification, personal-demographics.yaml ("Access modes", "Rate limits", header parameters)
and components/paths/patient-get.yaml, patient-search.yaml, relatedpersons-get.yaml. What an answer means is read
from its status *and* its body together: neither alone is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mpftconnect.adapters import (
    AdapterContext,
    Answer,
    Deadline,
    Reading,
    Refusal,
    SignedJwtAuth,
    Step,
    Trace,
    Wire,
)
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    NotShown,
    RateLimited,
    SystemFailed,
    TooManyMatches,
    UsageError,
    WrongPerson,
)
from mpftconnect.model import Demographics, Model, NhsNumber, Notice, Patient, RelatedPerson, nhs_number
from mpftconnect_pds.mapping import (
    Entry,
    emergency_contacts,
    entries_of,
    is_known_by_number_alone,
    number_of,
    read_patient,
    read_related_person,
    search_parameters,
)
from mpftconnect_pds.outcomes import PdsCode, codes_of

__all__ = ["REQUESTS_PER_SECOND", "PdsAdapter", "PdsSettings"]

# personal-demographics.yaml, "Rate limits": 5 transactions a second for each application.
REQUESTS_PER_SECOND = 5.0

# Header parameters of the same file: RoleId has this pattern; an ODS code is letters and digits.
_ODS_CODE = re.compile(r"[A-Za-z0-9]{2,12}", re.ASCII)
_ROLE_ID = re.compile(r"[0-9]{1,20}", re.ASCII)

_ACCEPT = {"Accept": "application/fhir+json"}
_NO_RECORD = {PdsCode.RESOURCE_NOT_FOUND: 404, PdsCode.INVALIDATED_RESOURCE: 404}

_IF_NOT_AUTHORISED = (
    "check api_key, key_id and private_key, that the public key is registered under key_id, that token_url is the "
    "environment's own, and this machine's clock: the signed request is good for five minutes"
)
_IF_NOT_CONNECTED = (
    "the token was given but the API was not: connect the application to PDS, application-restricted access, in "
    "the developer portal, and check that token_url and endpoint are of the same environment"
)
_IF_NOT_PDS = "check that the endpoint ends in /personal-demographics/FHIR/R4 and is of the right environment"


class PdsSettings(Model):
    """Settings of a configured PDS.

    Args:
        token_url: The token endpoint, such as `https://api.service.nhs.uk/oauth2/token`; also the JWT's `aud`.
        key_id: The `kid` under which the application's public key is registered.
        end_user_organisation: ODS code to send in place of the user's own organisation.
        search_history: Whether a search also looks at previous names and addresses.
    """

    token_url: str
    key_id: str
    end_user_organisation: str | None = None
    search_history: bool = True


class PdsAdapter:
    """Traces, searches, and reads contacts. It never writes: application-restricted access may not."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: PdsSettings = context.settings
        self._auth = SignedJwtAuth(
            token_url=self._settings.token_url,
            api_key=context.secret("api_key"),
            kid=self._settings.key_id,
            private_key_pem=context.secret("private_key"),
            wire=context.wire,
        )

    def trace_person(self, reading: Reading) -> Trace:
        """Who the number belongs to now; asked once per reading."""
        number = reading.nhs_number
        if number is None:
            raise UsageError("PDS traces by NHS number")
        return reading.once("pds.trace", lambda: self._trace(reading, number))

    def find_patient(self, reading: Reading) -> Patient | None:
        traced = reading.traced
        if traced is not None and traced.source.system == reading.system:
            return traced
        trace = self.trace_person(reading)
        if trace.outcome == "invalidated":
            raise NotShown("the number has been invalidated", system=reading.system)
        return trace.patient

    def search_people(self, reading: Reading, demographics: Demographics) -> Iterator[Patient]:
        """The one person who fits, if exactly one does.

        PDS leaves restricted people out of a search by postcode (patient-search.yaml, "Restricted patients").

        Raises:
            TooManyMatches: More than one person fits.
            UsageError: The demographics are fewer than PDS searches by.
        """
        parameters = search_parameters(demographics, history=self._settings.search_history)
        said = self._ask(reading, "Patient", parameters, label="search", also={PdsCode.TOO_MANY_MATCHES: 200})
        if isinstance(said, PdsCode):
            raise TooManyMatches("more than one person fits: ask with more demographics")
        for entry in entries_of(said):
            if isinstance(entry, Refusal):
                raise AnswerRejected(entry.rule, system=reading.system, place=entry.place)
            patient = read_patient(reading, entry.resource)
            if not _may_be_born_then(patient, demographics):
                place = f"{entry.place}.resource.birthDate"
                raise WrongPerson("not the date of birth that was searched for", system=reading.system, place=place)
            yield patient

    def read_contacts(self, reading: Reading) -> Iterator[RelatedPerson | Notice | Refusal]:
        """The numbers for emergencies, which stand on the Patient, and then the related people."""
        patient = reading.patient or self.find_patient(reading)
        if patient is None:
            return
        yield from emergency_contacts(patient)
        number = nhs_number(patient.nhs_number or reading.nhs_number or "")
        path = f"Patient/{number}/RelatedPerson"
        said = self._ask(reading, path, label="related people", also=_NO_RECORD)
        if said is PdsCode.INVALIDATED_RESOURCE:
            raise NotShown("the number has been invalidated", system=reading.system)
        if isinstance(said, PdsCode):
            return
        for entry in entries_of(said):
            yield from _related(reading, entry, number)

    def check_connection(self, wire: Wire) -> Iterator[Step]:
        """A token, and then a search without parameters, which PDS refuses only to those whom it has let in.

        Source: patient-search.yaml, 400 UNSUPPORTED_SERVICE: "No search parameters provided".
        """
        try:
            self._auth.apply({}, Deadline.after(wire.endpoint.deadline_seconds))
        except AdapterError as error:
            yield Step("token", False, f"{error.rule}: {_IF_NOT_AUTHORISED}")
            return
        yield Step("token", True)
        try:
            answer = wire.bound(auth=self._auth).get("Patient", headers=_ACCEPT, label="check")
            said = _judged(answer, {PdsCode.UNSUPPORTED_SERVICE: 400})
            if not isinstance(said, PdsCode):
                raise AnswerRejected("an answer to a search without parameters")
        except AdapterError as error:
            advice = _IF_NOT_CONNECTED if isinstance(error, NotPermitted) else _IF_NOT_PDS
            yield Step("harmless call", False, f"{error.rule}: {advice}")
        else:
            yield Step("harmless call", True)

    def _trace(self, reading: Reading, number: NhsNumber) -> Trace:
        said = self._retrieve(reading, number)
        if isinstance(said, PdsCode):
            return Trace("invalidated" if said is PdsCode.INVALIDATED_RESOURCE else "not-found")
        current = number_of(said)
        if current != number:
            self._confirm_superseded(reading, number, current)
        patient = read_patient(reading, said)
        if patient.restriction == "REDACTED":
            # Meta.yaml: the record is invalid and the code "never returned", so whatever came with it is not used.
            return Trace("invalidated")
        return Trace("found", patient)

    def _confirm_superseded(self, reading: Reading, number: NhsNumber, current: NhsNumber) -> None:
        """Ask again before another number is taken for a superseding one.

        PDS says that a number was superseded in no other way than by answering with another `id`
        (patient-get.yaml, "Superseded patients"), and so would any mix-up. A number that truly supersedes is
        itself current, and is given for the old one again when asked.

        Raises:
            WrongPerson: The answers do not agree.
        """
        for asked in (current, number):
            said = self._retrieve(reading, asked)
            if isinstance(said, PdsCode) or number_of(said) != current:
                raise WrongPerson(
                    "another number than was asked for, and not confirmed as superseding it",
                    system=reading.system,
                    place="Patient.id",
                )

    def _retrieve(self, reading: Reading, number: NhsNumber) -> Mapping[str, Any] | PdsCode:
        return self._ask(reading, f"Patient/{number}", label="retrieve", also=_NO_RECORD)

    def _ask(
        self,
        reading: Reading,
        path: str,
        parameters: Sequence[tuple[str, str]] = (),
        *,
        label: str,
        also: Mapping[PdsCode, int],
    ) -> Mapping[str, Any] | PdsCode:
        """The resource that PDS answers with, or the one of the codes `also` that it may answer with instead."""
        wire = reading.wire.bound(deadline=reading.deadline, auth=self._auth, headers=self._headers(reading))
        return _judged(wire.get(path, tuple(parameters), headers=_ACCEPT, label=label), also)

    def _headers(self, reading: Reading) -> dict[str, str]:
        organisation = self._settings.end_user_organisation or reading.who.organisation
        if not _ODS_CODE.fullmatch(organisation):
            raise NotPermitted("the user's organisation is not an ODS code", system=reading.system)
        headers = {"NHSD-End-User-Organisation-ODS": organisation}
        role = reading.who.role_profile_id
        if role is not None and _ROLE_ID.fullmatch(role):
            headers["NHSD-Session-URID"] = role
        return headers


def _judged(answer: Answer, also: Mapping[PdsCode, int]) -> Mapping[str, Any] | PdsCode:
    """What an answer says: its resource, or its code if that is one of `also` and comes under that status.

    Raises:
        AdapterError: Everything else, by status and code.
    """
    try:
        body = answer.json()
    except AnswerRejected:
        if answer.ok:
            raise
        body = None
    codes = codes_of(body)
    is_outcome = isinstance(body, Mapping) and body.get("resourceType") == "OperationOutcome"
    if answer.status == 200 and not is_outcome:
        if not isinstance(body, Mapping):
            raise AnswerRejected("an object is expected", system=answer.system)
        return body
    if len(codes) == 1:
        (code,) = codes
        if also.get(code) == answer.status:
            return code
    # Only codes that we know are repeated: whatever else an answer says may be a patient's.
    known = ", ".join(sorted(codes)) or "no known code"
    raise _kind_of_failure(answer.status)(f"status {answer.status}, {known}", system=answer.system)


def _kind_of_failure(status: int) -> type[AdapterError]:
    if status in (401, 403):
        return NotPermitted
    if status == 429:
        return RateLimited
    # 408 UNABLE_TO_CALL_SERVICE: the system behind the API did not answer it in time.
    return SystemFailed if status == 408 or status >= 500 else AnswerRejected


def _may_be_born_then(patient: Patient, demographics: Demographics) -> bool:
    if patient.birth_date is None or demographics.birth_date is None:
        return True
    held, wanted = patient.birth_date.text, demographics.birth_date.text
    return held.startswith(wanted) or wanted.startswith(held)


def _related(reading: Reading, entry: Entry | Refusal, number: NhsNumber) -> Iterator[RelatedPerson | Notice | Refusal]:
    if isinstance(entry, Refusal):
        yield entry
        return
    found = read_related_person(reading, entry, number)
    yield found
    if isinstance(found, RelatedPerson) and is_known_by_number_alone(found):
        yield Notice(
            "contact-by-reference",
            "A related person is known to PDS only by their own NHS number; their details were not looked up.",
        )
