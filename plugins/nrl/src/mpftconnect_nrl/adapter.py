"""The adapter for the National Record Locator: pointers as documents, what they point at, and pointers of our own.

Source: NRL consumer and producer specifications of 2026 (nrl-consumer-api at 25d6f5b, nrl-producer-api at ec0303b), in
application-restricted access. What an answer means is read from its status *and* its body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    DocumentContent,
    Draft,
    NewPointer,
    PublishedPointer,
    Reading,
    Refusal,
    SignedJwtAuth,
    Step,
    Wire,
    Written,
)
from mpftconnect.adapters.fhir_r4 import items, search
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    OutcomeUnknown,
    UsageError,
    WrongPerson,
)
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Attachment,
    DocumentReference,
    Identifier,
    Item,
    NhsNumber,
    Notice,
    Patient,
)
from mpftconnect_nrl.drafting import URI_SYSTEM, draft_of_pointer, draft_of_removal
from mpftconnect_nrl.following import Follower
from mpftconnect_nrl.line import CONSUMER, POINTER_ID, PRODUCER, Line
from mpftconnect_nrl.outcomes import NrlCode, codes_of, failure_of_answer, succeeded
from mpftconnect_nrl.settings import NrlSettings, PublishSettings

__all__ = ["NrlAdapter"]

_LET_IN = frozenset(
    {NrlCode.INVALID_PARAMETER, NrlCode.BAD_REQUEST, NrlCode.MISSING_OR_INVALID_HEADER, NrlCode.INVALID_NHS_NUMBER}
)
_IF_NOT_AUTHORISED = (
    "check api_key, key_id and private_key, that the public key is registered under key_id, that token_url is the "
    "environment's own, and this machine's clock: the signed request is good for five minutes"
)
_IF_NOT_CONNECTED = (
    "the token was given but the API was not: connect the application to the locator's APIs in the developer portal, "
    "and check which types of pointer the organisation was onboarded for"
)
_IF_NOT_NRL = "check that the endpoint ends in /record-locator and is of the right environment"


class NrlAdapter:
    """Reads pointers of one person, follows them, and writes, replaces and removes those of the user's organisation."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: NrlSettings = context.settings
        self._auth = SignedJwtAuth(
            token_url=self._settings.token_url,
            api_key=context.secret("api_key"),
            kid=self._settings.key_id,
            private_key_pem=context.secret("private_key"),
            wire=context.wire,
        )
        self._line = Line(self._auth, self._settings.end_user_organisation)
        self._follower = Follower(self._settings, context.environment)

    # Reading

    def find_patient(self, reading: Reading) -> Patient:
        """The number under which pointers would be filed; the locator says nothing else of a person.

        Whether there are any makes no difference here: "holds nothing" would tell of pointers that are not shown.
        """
        number = _number(reading)
        found, failure = self._pointers(reading)
        if not found and failure is not None:
            raise failure
        return Patient(source=reading.source(f"Patient/{number}"), identifiers=(Identifier.nhs(number),))

    def read_documents(self, reading: Reading) -> Iterator[Item | Notice | Refusal]:
        found, failure = self._pointers(reading)
        yield from found
        if failure is not None:
            raise failure

    def fetch_document(self, reading: Reading, document: DocumentReference, attachment: Attachment) -> DocumentContent:
        """What the pointer leads to; see `mpftconnect_nrl.following`."""
        return self._follower.fetch(reading, document, attachment)

    def count_pointers(self, reading: Reading) -> int:
        """How many pointers of the person there are that we may see, by the locator's own count."""
        return self._line.count(reading, _number(reading), kinds=self._settings.types)

    def read_pointer(self, reading: Reading, pointer_id: str) -> Item | Notice | Refusal:
        """One pointer by its id, if it is about the reading's person."""
        page = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": self._line.read(reading, CONSUMER, pointer_id)}],
        }
        return next(items(reading, "DocumentReference", of=DocumentReference, first=lambda: page))

    def check_connection(self, wire: Wire) -> Iterator[Step]:
        """A token, and then a search that names nobody, which is refused only to those who were let in."""
        try:
            self._auth.apply({}, Deadline.after(wire.endpoint.deadline_seconds))
        except AdapterError as error:
            yield Step("token", False, f"{error.rule}: {_IF_NOT_AUTHORISED}")
            return
        yield Step("token", True)
        try:
            answer = self._line.knock(wire)
            body = _json(answer)
            if answer.status != 400 or not codes_of(body) & _LET_IN:
                raise failure_of_answer(answer, body)
        except AdapterError as error:
            advice = _IF_NOT_CONNECTED if isinstance(error, NotPermitted) else _IF_NOT_NRL
            yield Step("harmless call", False, f"{error.rule}: {advice}")
        else:
            yield Step("harmless call", True)

    # Publishing

    def find_pointers(self, reading: Reading, kind: str | None) -> Iterable[PublishedPointer]:
        """The pointers of the user's organisation, by the producer API; of one type if `kind` says so.

        Raises:
            WrongPerson: One of them is about somebody else, or another organisation's.
        """
        number, organisation = _number(reading), self._line.organisation(reading)
        kinds = (kind,) if kind else ()
        page = self._line.search(reading, PRODUCER, number, kinds=kinds)
        found = []
        for resource in search(reading, "DocumentReference", first=lambda: page):
            if isinstance(resource, Notice):
                continue
            subject = _identified(resource.get("subject"), NHS_NUMBER_SYSTEM)
            custodian = _identified(resource.get("custodian"), ODS_ORGANIZATION_SYSTEM)
            if subject != number or custodian != organisation:
                raise WrongPerson("a pointer of somebody else came with the answer", system=reading.system)
            found.append(_published(resource, reading.system))
        return found

    def draft_pointer(self, reading: Reading, pointer: NewPointer, replaces: Sequence[str]) -> Draft:
        """What would be sent to make the pointer. Asks nobody."""
        return draft_of_pointer(
            reading,
            pointer,
            replaces,
            settings=self._publish,
            organisation=self._line.organisation(reading),
            headers=self._line.headers(reading),
        )

    def draft_removal(self, reading: Reading, pointer_id: str) -> Draft:
        """What would be sent to remove the pointer. Asks nobody."""
        organisation = self._line.organisation(reading)
        return draft_of_removal(reading, pointer_id, organisation=organisation, headers=self._line.headers(reading))

    def write_pointer(self, reading: Reading, draft: Draft, replaces: Sequence[str]) -> Written:
        """Send the draft, once.

        Raises:
            OutcomeUnknown: It may have been done.
            AdapterError: It was not.
        """
        if not draft.url.startswith(f"{reading.wire.endpoint.base_url.rstrip('/')}/{PRODUCER}"):
            raise UsageError("the draft is not one for this system")
        wire = reading.wire.bound(deadline=reading.deadline, auth=self._auth)
        if draft.method == "DELETE":
            return self._removed(wire, draft)
        if draft.method != "POST" or draft.body is None:
            raise UsageError("the draft is neither a POST with a body nor a DELETE")
        answer = wire.post(draft.url, data=draft.body, headers=draft.headers, label="publish")
        wanted = (NrlCode.RESOURCE_CREATED, NrlCode.RESOURCE_SUPERSEDED) if replaces else (NrlCode.RESOURCE_CREATED,)
        if not succeeded(answer, *wanted):
            raise failure_of_answer(answer, _json(answer))
        pointer = urlsplit(answer.headers.get("Location", "")).path.rpartition("/")[2]
        if not POINTER_ID.fullmatch(pointer) or not pointer.startswith(f"{self._line.organisation(reading)}-"):
            raise OutcomeUnknown("it was made, and the answer does not say under which id", system=reading.system)
        return Written(pointer, draft, answer.status, answer.body, answer.request_id)

    def _removed(self, wire: Wire, draft: Draft) -> Written:
        answer = wire.delete(draft.url, headers=draft.headers, label="remove")
        pointer = draft.url.rpartition("/")[2]
        if succeeded(answer, NrlCode.RESOURCE_REMOVED, NrlCode.RESOURCE_DELETED):
            return Written(pointer, draft, answer.status, answer.body, answer.request_id)
        body = _json(answer)
        if answer.status == 404 and codes_of(body) & {NrlCode.NO_RECORD_FOUND, NrlCode.RESOURCE_NOT_FOUND}:
            return Written(pointer, draft, answer.status, answer.body, answer.request_id, already=True)
        raise failure_of_answer(answer, body)

    @property
    def _publish(self) -> PublishSettings:
        if self._settings.publish is None:
            raise UsageError("nothing can be published: settings have no table `publish`")
        return self._settings.publish

    def _pointers(self, reading: Reading) -> tuple[tuple[Item | Notice | Refusal, ...], AdapterError | None]:
        """All pointers of the person, under the current number and former ones; asked once per reading."""
        return reading.once("nrl.pointers", lambda: self._search(reading))

    def _search(self, reading: Reading) -> tuple[tuple[Item | Notice | Refusal, ...], AdapterError | None]:
        found: list[Item | Notice | Refusal] = []
        try:
            for number in dict.fromkeys((_number(reading), *reading.former_numbers)):
                page = self._line.search(reading, CONSUMER, number, kinds=self._settings.types)
                found += _read(reading, page)
        except AdapterError as error:
            return tuple(found), error
        return tuple(found), None


def _read(reading: Reading, page: Mapping[str, Any]) -> Iterator[Item | Notice | Refusal]:
    # No demographics come with a pointer: whom it is about is judged by NHS number alone.
    yield from items(reading, "DocumentReference", of=DocumentReference, first=lambda: page)


def _number(reading: Reading) -> NhsNumber:
    if reading.nhs_number is None:
        raise UsageError("the locator is asked by NHS number")
    return reading.nhs_number


def _json(answer: Any) -> Any:
    try:
        return answer.json()
    except AnswerRejected:
        return None


def _identified(reference: Any, system: str) -> str | None:
    identifier = reference.get("identifier") if isinstance(reference, Mapping) else None
    if not isinstance(identifier, Mapping) or identifier.get("system") != system:
        return None
    value = identifier.get("value")
    return value if isinstance(value, str) else None


def _published(resource: Mapping[str, Any], system: str) -> PublishedPointer:
    pointer_id = resource.get("id")
    if not isinstance(pointer_id, str) or not POINTER_ID.fullmatch(pointer_id):
        raise AnswerRejected("is not the id of a pointer", system=system, place="DocumentReference.id")
    identifiers = resource.get("identifier")
    references = [uuid for each in (identifiers if isinstance(identifiers, list) else ()) if (uuid := _uuid(each))]
    kind = resource.get("type")
    codings = kind.get("coding") if isinstance(kind, Mapping) else None
    codes = [c.get("code") for c in (codings if isinstance(codings, list) else ()) if isinstance(c, Mapping)]
    return PublishedPointer(
        id=pointer_id,
        reference=references[0] if references else None,
        version=_uuid(resource.get("masterIdentifier")),
        kind=codes[0] if codes and isinstance(codes[0], str) else None,
    )


def _uuid(identifier: Any) -> str | None:
    if not isinstance(identifier, Mapping) or identifier.get("system") != URI_SYSTEM:
        return None
    value = identifier.get("value")
    return value.removeprefix("urn:uuid:") if isinstance(value, str) and value.startswith("urn:uuid:") else None
