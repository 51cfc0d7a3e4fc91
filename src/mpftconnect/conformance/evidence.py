"""What a judge has before it: recorded exchanges, documents and answers. Nothing else, so that it can judge again.

A judge never sees a wire, an adapter's output or a clock. `Evidence` notes what was looked at, which is how a report
knows which exchanges a verdict stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome, Status
from mpftconnect.conformance.trouble import TROUBLES, trouble_of_status
from mpftconnect.errors import AnswerRejected, GapReason, MpftConnectError
from mpftconnect.fhir.json_text import parse_json

__all__ = ["Evidence", "EvidenceFile", "NotInEvidence", "Recorded", "Subject", "TestPerson", "Undecided"]


class Undecided(MpftConnectError):
    """Raised inside a judge that cannot decide; the engine takes its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


class NotInEvidence(MpftConnectError):
    """Raised inside a judge that asks for a step which was never taken, or whose content was not kept."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(f"not in evidence: {step}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One exchange as evidence. What was sent and received is there as it was, or says why it is not.

    Args:
        id: `x001`, in the order of the run.
        step: What the probe calls it: `metadata`, `Observation of full`. Words, never a value. Judges find exchanges
            by it, and so do packs that come later: a step's name means the same request for ever.
        person: The role of the test person asked about; empty if nobody is.
        protocol: `http`, `mllp` or another that a pack brings.
        direction: Who began: `sent` by us, or `received`.
        error: `GapReason` of what went wrong between us; None if a whole answer came, whatever its status.
        error_rule: What went wrong, in our words.
        dropped: Why a body is not there: `live environment`, `not JSON`, ...
        facts: What was found out about what is not kept: `{"tls": "TLSv1.3", "cookies": 2, "json": "is not JSON"}`.
        sent_at: ISO, UTC.
    """

    id: str
    step: str
    method: str
    url: str
    status: int | None = None
    person: str = ""
    protocol: str = "http"
    direction: Literal["sent", "received"] = "sent"
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes | None = field(default=None, repr=False)
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes | None = field(default=None, repr=False)
    error: str | None = None
    error_rule: str = ""
    attempts: int = 1
    dropped: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    sent_at: str = ""
    duration_ms: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The first response header of that name, in any case."""
        return next((value for key, value in self.response_headers if key.lower() == name.lower()), None)

    def request_header(self, name: str) -> str | None:
        return next((value for key, value in self.request_headers if key.lower() == name.lower()), None)

    @property
    def content_type(self) -> str:
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON, decimals exact.

        Raises:
            NotInEvidence: It was not kept.
            AnswerRejected: It is none; the message names the rule and no value.
        """
        if self.response_body is None:
            if fault := self.facts.get("json"):
                raise AnswerRejected(str(fault))
            raise NotInEvidence(self.step)
        return parse_json(self.response_body)

    def trouble(self) -> Outcome | None:
        """Why nothing can be judged by this exchange; None if a whole answer of status 2xx came.

        A status that refuses, and whatever happened on the way, says nothing of the requirement that was to be tested:
        it is inconclusive, with the environment as likely cause. A check that tests statuses looks at `status` itself.
        """
        if self.error is not None:
            cause = TROUBLES.get(self.error, TROUBLES[str(GapReason.ANSWER_REJECTED)])
            return Outcome.inconclusive(f"{self.step}: {self.error_rule or self.error}", cause)
        if self.ok:
            return None
        status = self.status or 0
        if trouble := trouble_of_status(status):
            tried = f", tried {self.attempts} times" if self.attempts > 1 else ""
            return Outcome.inconclusive(f"{self.step}: status {status}{tried}", TROUBLES[trouble])
        return Outcome.inconclusive(
            f"{self.step}: status {status}",
            Cause(
                kind=CauseKind.UNCLEAR,
                because=f"the system answered {status}, so there is nothing to judge",
                otherwise="the base URL is wrong, the test person is missing, or the product does not offer it",
                mend="try the request by hand; then correct base_url, the people, or what the product offers",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFile:
    """A document that the supplier gave.

    Args:
        kind: What it is: `cyber-essentials`, `hazard-log`, `openapi`.
        name: File name, without folders.
        sha256: Of its bytes.
        size: Bytes.
        issued: ISO date that the supplier states; empty if none.
        expires: Likewise.
        text: Its text, where it is of a kind that has one; None if it cannot be read.
        stated: What else supplier.toml says of it: `{"max_cvss": 5.3}`.
        signature: The envelope that stands beside it in `NAME.dsse.json`, as text; empty if there is none.
        signed_by: Whose signatures are believed, under the trust file of whoever runs or judges again; never read from
            a file.
    """

    kind: str
    name: str
    sha256: str
    size: int
    issued: str = ""
    expires: str = ""
    text: str | None = field(default=None, repr=False)
    stated: Mapping[str, Any] = field(default_factory=dict)
    signature: str = field(default="", repr=False)
    signed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPerson:
    """A test person of the supplier's system, by role.

    Args:
        entered: ISO date on which the supplier confirms that the role's sheet was entered; empty: not confirmed.
        holds: Resource types that the person has, if the supplier lists them.
    """

    __test__ = False  # its name begins as pytest's classes do

    role: str
    nhs_number: str = ""
    local_id: str = ""
    entered: str = ""
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is tested, as the supplier declares it: a judge may read it, and a report shows it.

    Args:
        entity: Legal entity; `entity_code` says which, as `companies-house:01234567` or `ods:ZZ999`.
        package: The FHIR package declared: `fhir.r4.ukcore.stu2@2.0.2`; empty if none is.
        offers: Capabilities declared; None if the supplier does not say, and then all are taken to be offered.
        actors: `server`, `consumer`, `sender`, `receiver`; empty: all.
        twin: The name of the twin, if this is no product but a stand-in.
        settings: What of `[target.settings]` is text, for packs: `{"openapi": "openapi.json"}`. No secret stands there.
    """

    product: str
    version: str
    entity: str
    entity_code: str = ""
    environment: Literal["test", "live"] = "live"
    host: str = ""
    adapter: str = "fhir-r4"
    package: str = ""
    offers: tuple[str, ...] | None = None
    actors: tuple[str, ...] = ()
    allow_writes: bool = False
    twin: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


class Evidence:
    """What one check may look at.

    Args:
        exchanges: All of the run, in order.
        subject: What is tested.
        people: The test people, by role.
        files: Documents, by kind.
        answers: The supplier's answers, by the code of the question.
        outcomes: What other requirements came to, by id: only of packs that the check is declared to come `after`.
        definitions: How to get a validator; see `Definitions`.
        today: ISO date of the run, for what runs out. A judgement repeated later is given the same.
    """

    def __init__(
        self,
        exchanges: Iterable[Recorded] = (),
        *,
        subject: Subject,
        people: Mapping[str, TestPerson] | None = None,
        files: Mapping[str, tuple[EvidenceFile, ...]] | None = None,
        answers: Mapping[str, Any] | None = None,
        outcomes: Mapping[str, Status] | None = None,
        definitions: Any = None,
        today: str = "",
    ) -> None:
        self._exchanges = tuple(exchanges)
        self.subject = subject
        self.people = dict(people or {})
        self.files = dict(files or {})
        self.answers = dict(answers or {})
        self.outcomes = dict(outcomes or {})
        self.definitions = definitions
        self.today = today
        self._used: dict[str, None] = {}

    @property
    def used(self) -> tuple[str, ...]:
        """Ids of the exchanges that were looked at, in the order of the run."""
        return tuple(each.id for each in self._exchanges if each.id in self._used)

    def steps(self, prefix: str = "") -> tuple[str, ...]:
        """The names of the steps that were taken and begin so, each once."""
        return tuple(dict.fromkeys(each.step for each in self._exchanges if each.step.startswith(prefix)))

    def every(self, step: str) -> tuple[Recorded, ...]:
        """All exchanges of a step, in order.

        Raises:
            NotInEvidence: There is none.
        """
        found = tuple(each for each in self._exchanges if each.step == step)
        if not found:
            raise NotInEvidence(step)
        self._used.update(dict.fromkeys(each.id for each in found))
        return found

    def one(self, step: str) -> Recorded:
        """The first exchange of a step, whatever came of it.

        Raises:
            NotInEvidence: There is none.
        """
        return self.every(step)[0]

    def answered(self, step: str) -> Recorded:
        """The first exchange of a step, if a whole answer of status 2xx came.

        Raises:
            NotInEvidence, Undecided: See `Recorded.trouble`.
        """
        found = self.one(step)
        trouble = found.trouble()
        if trouble is not None:
            raise Undecided(trouble)
        return found

    def json(self, step: str) -> Any:
        """The JSON of `answered(step)`.

        Raises:
            NotInEvidence, Undecided: As there; also where the body is no JSON.
        """
        return json_of(self.answered(step))


def json_of(found: Recorded) -> Any:
    """The JSON of an exchange that was answered.

    Raises:
        NotInEvidence: Its body was not kept.
        Undecided: It is no JSON: a sign-in page and a broken answer look alike from here.
    """
    try:
        return found.json()
    except AnswerRejected as error:
        raise Undecided(
            Outcome.inconclusive(
                f"{found.step}: the body is not the JSON that was asked for ({error})",
                Cause(
                    kind=CauseKind.UNCLEAR,
                    because=f"status {found.status}, content type {found.content_type or 'not stated'}, and no JSON",
                    otherwise="a sign-in page or proxy answered in the product's place; or the product sends it so",
                    mend="try the request by hand from this machine and look at what answers",
                ),
            )
        ) from None
