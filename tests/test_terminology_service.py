"""A FHIR terminology service: asked little, together, within a deadline; believed only where it answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mpftconnect.adapters import Endpoint
from mpftconnect.errors import AdapterError, AnswerRejected, TimedOut, Unreachable, UsageError
from mpftconnect.terminology_service import FhirTerminologyService
from mpftconnect.validation import Asked, Question, Validator
from mpftconnect.validation.terminology.service import ServiceAnswers

SNOMED = "http://snomed.info/sct"
VS = "https://zz.example.test/vs"
KNOWN = {"404684003": True, "91234005": False}


def parameters(result: Any = None, **more: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [] if result is None else [{"name": "result", "valueBoolean": result}]
    listed += [{"name": name.replace("_", "-"), "valueString": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": listed}


class Twin:
    """A terminology server on this machine; `answer` and `raw` change what it says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.batches = True
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: parameters(
            KNOWN.get(asked["code"], False)
        )
        self.raw: tuple[int, bytes] | None = None
        self.drip = False
        twin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                twin.requests.append((self.path, body, dict(self.headers)))
                status, data = twin.raw or twin.respond(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    if twin.drip:
                        for byte in data:
                            self.wfile.write(bytes([byte]))
                            self.wfile.flush()
                            time.sleep(0.05)
                    else:
                        self.wfile.write(data)
                except OSError:  # the client went
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/fhir"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if path == "/fhir":
            if not self.batches:
                return 405, b"no batches here"
            entries = [
                {"response": {"status": "200 OK"}, "resource": self._answer(entry["resource"])}
                for entry in body["entry"]
            ]
            return 200, json.dumps({"resourceType": "Bundle", "type": "batch-response", "entry": entries}).encode()
        return 200, json.dumps(self._answer(body)).encode()

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        return self.answer({p["name"]: next(v for k, v in p.items() if k != "name") for p in body["parameter"]})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def twin() -> Iterator[Twin]:
    twin = Twin()
    yield twin
    twin.close()


@pytest.fixture
def client(twin: Twin) -> FhirTerminologyService:
    return FhirTerminologyService(Endpoint(base_url=twin.url, deadline_seconds=2, max_bytes=100_000), token="zz-token")


def patient(*codes: str, display: str = "Somebody's words") -> dict[str, Any]:
    codings = [{"system": SNOMED, "code": code, "display": display} for code in codes]
    return {"resourceType": "Patient", "name": [{"family": "Ashdown"}], "maritalStatus": {"coding": codings}}


def code_rules(report: Any) -> list[str]:
    return [f.rule for f in report.findings if f.rule == "code-unknown"] + [
        f"not checked: {n.rule}" for n in report.not_checked if n.rule == "code-unknown"
    ]


def test_codes_are_asked_together_and_once(twin: Twin, client: FhirTerminologyService) -> None:
    validator = Validator(terminology=False, terminology_service=client)
    report = validator.validate(patient("404684003", "91234005"))
    assert code_rules(report) == ["code-unknown"]
    assert [f.expression for f in report.findings if f.rule == "code-unknown"] == ["Patient.maritalStatus.coding[1]"]
    assert [path for path, _, _ in twin.requests] == ["/fhir"], "one batch"
    assert code_rules(validator.validate(patient("404684003", "91234005"))) == ["code-unknown"]
    assert len(twin.requests) == 1, "answers are remembered"


def test_nothing_but_codes_leaves(twin: Twin, client: FhirTerminologyService) -> None:
    Validator(terminology=False, terminology_service=client).validate(patient("404684003", "91234005"))
    ((_, body, headers),) = twin.requests
    assert "Somebody" not in json.dumps(body) and "Ashdown" not in json.dumps(body)
    assert headers["Authorization"] == "Bearer zz-token"
    names = {p["name"] for entry in body["entry"] for p in entry["resource"]["parameter"]}
    assert names <= {"url", "system", "code", "version", "systemVersion", "valueSetVersion"}
    assert "zz-token" not in repr(client) and twin.url not in repr(client)


def test_a_required_binding_is_decided_by_the_service(twin: Twin, client: FhirTerminologyService) -> None:
    profile = {
        "resourceType": "StructureDefinition", "url": "https://zz.example.test/p", "name": "p", "status": "active",
        "kind": "resource", "abstract": False, "type": "Patient", "fhirVersion": "4.0.1", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "differential": {"element": [
            {"path": "Patient.maritalStatus", "binding": {"strength": "required", "valueSet": VS}},
        ]},
    }  # fmt: skip
    value_set = {
        "resourceType": "ValueSet", "url": VS, "status": "active",
        "compose": {"include": [{"system": SNOMED, "filter": [{"property": "concept", "op": "is-a", "value": "1"}]}]},
    }  # fmt: skip
    validator = Validator(terminology=False, terminology_service=client, resources=[profile, value_set])
    twin.answer = lambda asked: parameters(asked["url"] != VS or asked["code"] == "404684003")
    url = "https://zz.example.test/p"
    assert validator.validate(patient("404684003"), [url]).verdict == "valid"
    report = validator.validate(patient("91234005"), [url])
    assert report.verdict == "invalid" and "binding-required" in [f.rule for f in report.findings]
    twin.raw = (500, b"")
    report = validator.validate(patient("22298006"), [url])
    assert report.verdict == "undecided"
    assert any("status 500" in n.reason for n in report.not_checked if n.rule == "binding-required")
    twin.raw = None
    assert validator.validate(patient("22298006"), [url]).verdict == "invalid", "an outage is not remembered"


def test_a_server_without_batches_is_asked_one_by_one(twin: Twin, client: FhirTerminologyService) -> None:
    twin.batches = False
    questions = [Question(SNOMED, "404684003"), Question(SNOMED, "91234005", VS, "1")]
    assert client.validate_codes(questions) == [Asked(True), Asked(False)]
    assert client.validate_codes(questions) == [Asked(True), Asked(False)]
    paths = [path for path, _, _ in twin.requests]
    one, other = "/fhir/CodeSystem/$validate-code", "/fhir/ValueSet/$validate-code"
    assert paths == ["/fhir", one, other, one, other]


ISSUES = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}


@pytest.mark.parametrize(
    "answer",
    [
        {}, {"resourceType": "Parameters"}, {"resourceType": "Parameters", "parameter": "x"},
        parameters(None), parameters("true"), parameters(1), {"resourceType": "OperationOutcome"},
        {"resourceType": "Parameters", "parameter": [None, 1, {"name": "result", "valueString": "true"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": r} for r in (True, False)]},
        parameters(False, message="Unknown code system http://snomed.info/sct"),
        parameters(False, message="The CodeSystem http://snomed.info/sct is unknown and cannot be validated"),
        parameters(False, message="A definition for the value Set 'x' could not be found"),
        parameters(False, x_caused_by_unknown_system="http://snomed.info/sct"),
        {"resourceType": "Parameters", "parameter": [
            {"name": "result", "valueBoolean": False}, {"name": "issues", "resource": ISSUES},
        ]},
    ],
)  # fmt: skip
def test_what_is_no_answer_stays_undecided(twin: Twin, client: FhirTerminologyService, answer: Any) -> None:
    twin.answer = lambda asked: answer
    (asked,) = client.validate_codes([Question(SNOMED, "404684003")])
    assert asked.result is None and asked.reason
    report = Validator(terminology=False, terminology_service=client).validate(patient("404684003"))
    assert code_rules(report) == ["not checked: code-unknown"]


def test_a_plain_no_is_an_answer(twin: Twin, client: FhirTerminologyService) -> None:
    sure = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "code-invalid"}]}
    for answer in (
        parameters(False),
        parameters(False, message="Unknown code '1' in the CodeSystem 'http://snomed.info/sct'"),
        {"resourceType": "Parameters", "parameter": [
            {"name": "result", "valueBoolean": False}, {"name": "issues", "resource": sure},
            {"name": "message", "valueString": "The code is not found in the value set; code system not available?"},
        ]},
    ):  # fmt: skip
        twin.answer = lambda asked, answer=answer: answer  # type: ignore[misc]
        assert client.validate_codes([Question(SNOMED, "1")]) == [Asked(False)]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ((500, b""), AdapterError), ((503, b"{}"), AdapterError), ((401, b""), AdapterError),
        ((429, b""), AdapterError),
        ((302, b""), AnswerRejected), ((200, b"<html>"), AnswerRejected), ((200, b"[]"), AnswerRejected),
        ((200, b"[" * 50_000), AnswerRejected), ((200, b" " * 200_000), AnswerRejected),
    ],
)  # fmt: skip
def test_outages_and_what_is_not_fhir(
    twin: Twin, client: FhirTerminologyService, raw: tuple[int, bytes], error: type[Exception]
) -> None:
    twin.raw = raw
    with pytest.raises(error):
        client.validate_codes([Question(SNOMED, "404684003")])
    report = Validator(terminology=False, terminology_service=client).validate(patient("404684003"))
    assert code_rules(report) == ["not checked: code-unknown"] and report.verdict != "invalid"


def test_a_batch_answer_of_another_shape_is_refused(twin: Twin, client: FhirTerminologyService) -> None:
    questions = [Question(SNOMED, "404684003"), Question(SNOMED, "91234005")]
    for body in ({}, {"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": [{}]}):
        twin.raw = (200, json.dumps(body).encode())
        with pytest.raises(AnswerRejected):
            client.validate_codes(questions)
    twin.raw = (200, json.dumps({"resourceType": "Bundle", "entry": [None, {"response": {"status": 200}}]}).encode())
    assert [asked.result for asked in client.validate_codes(questions)] == [None, None]


def test_a_slow_drip_ends_at_the_deadline(twin: Twin) -> None:
    twin.drip = True
    client = FhirTerminologyService(Endpoint(base_url=twin.url, deadline_seconds=0.3))
    with pytest.raises(TimedOut):
        client.validate_codes([Question(SNOMED, "404684003")])


def test_nobody_there() -> None:
    client = FhirTerminologyService(Endpoint(base_url="http://127.0.0.1:9/fhir", deadline_seconds=2))
    with pytest.raises(Unreachable):
        client.validate_codes([Question(SNOMED, "404684003")])


@pytest.mark.parametrize("url", ["http://tx.example.test/fhir", "ftp://x", "", "file:///etc/passwd", "https://u:p@x/"])
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        FhirTerminologyService(url)


class Scripted:
    """A service that does what its script says."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[list[Question]] = []

    def validate_codes(self, questions: Sequence[Question], /) -> Sequence[Asked]:
        self.asked.append(list(questions))
        act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(act, Exception):
            raise act
        return [act] * len(questions)


def ask(answers: ServiceAnswers, code: str) -> Asked:
    question = Question(SNOMED, code)
    answers.begin()
    answers.ask(question)
    answers.fetch()
    return answers.ask(question)


def test_after_repeated_outages_the_service_is_left_alone_for_a_while() -> None:
    now = [0.0]
    service = Scripted(*[Unreachable("no answer")] * 3, Asked(True))
    answers = ServiceAnswers(service, clock=lambda: now[0])
    assert [ask(answers, "1").result for _ in range(5)] == [None] * 5
    assert len(service.asked) == 3
    assert "failed 3 times in a row" in ask(answers, "1").reason
    now[0] = 61.0
    assert ask(answers, "1").result is True and len(service.asked) == 4


def test_answers_grow_old_and_outages_are_forgotten_at_once() -> None:
    now = [0.0]
    service = Scripted(Unreachable("x"), Asked(None, "cannot say"), Asked(True))
    answers = ServiceAnswers(service, clock=lambda: now[0])
    assert [ask(answers, "1").result for _ in range(4)] == [None, None, True, True]
    assert len(service.asked) == 3
    now[0] = 3601.0
    ask(answers, "1")
    assert len(service.asked) == 4


def test_whatever_a_service_raises_is_an_outage() -> None:
    class Odd:
        def validate_codes(self, questions: Sequence[Question], /) -> Sequence[Asked]:
            return []

    for service in (Scripted(RuntimeError("9990000018")), Odd()):
        report = Validator(terminology=False, terminology_service=service).validate(patient("404684003"))
        assert code_rules(report) == ["not checked: code-unknown"]
        assert not any("999" in n.reason for n in report.not_checked)


def test_threads_ask_their_own_questions() -> None:
    service = Scripted(Asked(True))
    validator = Validator(terminology=False, terminology_service=service)
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(code_rules(validator.validate(patient(f"40468400{n}")))))  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[]] * 8
    assert sorted(question.code for asked in service.asked for question in asked) == [f"40468400{n}" for n in range(8)]
