"""The contract tests pass a good adapter, and each way of being bad fails the test that is meant for it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

ACME = """
import json, logging, re
from datetime import UTC, datetime
from mpftconnect.adapters import *
from mpftconnect.errors import AdapterError, AnswerRejected
from mpftconnect.model import *
from mpftconnect.sandbox.people import Person, SystemView


class Acme:
    def __init__(self, context):
        self.auth = BearerToken(context.secret("token"))
        self.reads = 0

    def _get(self, reading, path):
        answer = reading.wire.bound(auth=self.auth).get(path)
        if BROKEN == "ignores-401" and answer.status == 401:
            return None
        if answer.status == 404:
            return None
        answer.require_ok()
        if BROKEN == "leaks":
            try:
                return answer.json()
            except AdapterError:
                raise AnswerRejected("not JSON: " + answer.body.decode("latin-1")) from None
        if BROKEN == "logs":
            logging.getLogger("acme").debug("came: %s", answer.body)
        if BROKEN == "raises":
            return json.loads(answer.body)
        if BROKEN == "swallows":
            try:
                return answer.json()
            except AdapterError:
                return {}
        content = answer.json()
        if not isinstance(content, dict):
            raise AnswerRejected("is not an object")
        return content

    def find_patient(self, reading):
        if BROKEN == "asks-nothing":
            return Patient(source=reading.source("Patient/1"), identifiers=(Identifier.nhs(reading.nhs_number),))
        said = self._get(reading, f"people/{reading.nhs_number}")
        if said is None and BROKEN == "finds-everybody":
            said = {"number": reading.nhs_number, "family": "Nobody"}
        if said is None:
            return None
        if said.get("number") != reading.nhs_number and BROKEN != "wrong-person":
            raise AnswerRejected("another person than was asked for")
        return Patient(
            source=reading.source(f"Patient/{said.get('number')}"),
            identifiers=(Identifier.nhs(said.get("number", "")),) if said.get("number") else (),
            names=(HumanName(family=said.get("family")),),
        )

    def read_problems(self, reading):
        self.reads += 1
        said = self._get(reading, f"people/{reading.nhs_number}/problems")
        if said is None:
            return
        if said.get("of") != reading.nhs_number and BROKEN not in ("wrong-person", "swallows"):
            raise AnswerRejected("another person than was asked for")
        for problem in said.get("problems", ()):
            id = "same" if BROKEN == "same-id" else problem["id"]
            source = reading.source(id)
            if BROKEN == "wrong-source":
                source = source.model_copy(update={"system": "another"})
            subject = Reference(reference="Patient/another") if BROKEN == "wrong-subject" else None
            kind = Flag if BROKEN == "wrong-type" else Condition
            yield kind(source=source, code=concept(problem["text"]), subject=subject)
            if BROKEN == "threads" and self.reads > 6:
                return

    if BROKEN == "undeclared":
        def read_notes(self, reading):
            return ()

    def check_connection(self, wire):
        if BROKEN == "no-steps":
            return
        if BROKEN == "names-somebody":
            wire.bound(auth=self.auth).get("people/9990000018")
        if BROKEN == "always-well":
            yield Step("harmless call", True)
            return
        try:
            wire.bound(auth=self.auth).get("ping").require_ok()
        except AdapterError as error:
            yield Step("harmless call", False, "" if BROKEN == "no-advice" else f"{error.rule}: is it up?")
        else:
            yield Step("harmless call", BROKEN != "unwell", "ask somebody")


class Twin:
    def __init__(self, people):
        self.faults = FaultSwitch()
        self.people = {person.nhs_number: person for person in people if "acme" in person.systems}

    def handle(self, request):
        if request.headers.get("Authorization") != "Bearer abc123" or Fault.STALE_TOKEN in self.faults:
            return TwinResponse(401)
        if request.path == "/ping":
            return json_response({})
        match = re.fullmatch("/people/([0-9]{10})(/problems)?", request.path)
        person = self.people.get(match[1]) if match else None
        if person is None:
            return TwinResponse(404)
        if Fault.WRONG_PATIENT in self.faults:
            person = next(other for other in self.people.values() if other is not person)
        if not match[2]:
            return json_response({"number": person.nhs_number, "family": person.patient.names[0].family})
        problems = person.systems["acme"].items.get(SectionName.PROBLEMS, ())
        listed = [{"id": item.source.id, "text": item.code.text} for item in problems]
        return json_response({"of": person.nhs_number, "problems": listed})


def person(number, family, role, *problems):
    def source(id):
        return Source(system="sandbox", id=id, fetched=datetime(2026, 1, 1, tzinfo=UTC))

    patient = Patient(source=source(number), identifiers=(Identifier.nhs(number),), names=(HumanName(family=family),))
    items = tuple(Condition(source=source(f"p{n}"), code=concept(text)) for n, text in enumerate(problems))
    view = SystemView(local_id=number, items={SectionName.PROBLEMS: items})
    return Person(role=role, nhs_number=NhsNumber(number), patient=patient, systems={"acme": view})


EMPTY = BROKEN == "nothing-to-read"
PEOPLE = [
    person("9990000026", "Wrenfield", "sparse", *([] if EMPTY else ["Hypertension"])),
    person("9990000018", "Quillby", "full" if BROKEN != "nobody-full" else "sparse",
           *([] if EMPTY else ["Asthma", "Fracture of wrist"])),
]

offered = [Capability.FIND_PATIENT, Capability.READ_PROBLEMS]
if BROKEN == "no-method":
    offered.append(Capability.READ_ALERTS)
table = {capability: Support.FULL for capability in offered} if BROKEN == "unknown" else only(*offered)
TRIED = TriedAgainst("nothing", assumed=True)
SPEC = AdapterSpec(name="acme", supplier="Acme", product="Acme Record", tried_against=TRIED, capabilities=table,
                   open=Acme, secrets=("token",))
TWIN = TwinSpec(
    name="acme", adapter="other" if BROKEN == "another-twin" else "acme", written_from="assumed: nothing is published",
    tried_against=TRIED, build=Twin, faults=frozenset({Fault.STALE_TOKEN, Fault.WRONG_PATIENT}),
    configure=lambda twin, base_url: {"adapter": "acme", "endpoint": base_url, "secrets": {"token": "abc123"}},
)
"""

TESTS = """
import types
from pathlib import Path
import pytest
from mpftconnect.adapters.contract_tests import AdapterContract

SOURCE = Path(__file__).with_name("acme.txt").read_text()


def broken(how):
    acme = types.ModuleType("acme")
    acme.BROKEN = how
    exec(SOURCE, vars(acme))

    class TestAcme(AdapterContract):
        @pytest.fixture
        def spec(self):
            return acme.SPEC

        @pytest.fixture
        def twin_spec(self):
            return acme.TWIN

        @pytest.fixture
        def people(self):
            return acme.PEOPLE

    return TestAcme


for how in [HOWS]:
    globals()["Test_" + how.replace("-", "_")] = broken(how)
"""

BAD_ANSWER = "test_a_bad_answer_is_an_adapter_error_without_values"
METHODS = "test_declared_capabilities_are_methods_and_methods_are_declared"
ITEMS = "test_every_declared_read_yields_items_of_its_section"
WALKS = "test_check_connection_walks_through_and_names_nobody"
SAYS = "test_check_connection_says_which_step_fails"

# How an adapter is bad, the test that must notice, and what it must say.
MEANT_FOR = [
    ("another-twin", "test_spec_and_twin_belong_together", "the twin names another adapter"),
    ("no-method", METHODS, "declared, and no method: read_alerts"),
    ("undeclared", METHODS, "a method, and not declared full or partial: read_notes"),
    ("finds-everybody", "test_says_that_an_unknown_person_is_not_held", "a patient for a number that nobody has"),
    ("nothing-to-read", ITEMS, "nobody among the twin's people has anything in problems"),
    ("wrong-source", ITEMS, "the source of a Condition names another system"),
    ("wrong-type", ITEMS, "read_problems yields a Flag"),
    ("wrong-subject", ITEMS, "yields a Condition about somebody else"),
    ("same-id", ITEMS, "yields the same id twice"),
    ("threads", "test_several_threads_read_what_one_thread_reads", "something else than one reader alone"),
    ("raises", f"{BAD_ANSWER}[malformed]", "raises UnicodeDecodeError: an AdapterError is expected"),
    ("raises", f"{BAD_ANSWER}[empty]", "raises JSONDecodeError: an AdapterError is expected"),
    ("swallows", f"{BAD_ANSWER}[wrong-type]", "says nothing: an AdapterError is expected"),
    ("asks-nothing", "test_some_read_meets_a_bad_answer", "find_patient finds somebody in a malformed answer"),
    ("leaks", f"{BAD_ANSWER}[malformed]", "on an answer that is malformed holds a value of the person of role"),
    ("logs", f"{BAD_ANSWER}[unexpected]", "a log line holds a value of the person of role"),
    ("wrong-person", "test_somebody_elses_data_is_refused", "another person was found"),
    ("ignores-401", "test_faults_of_the_twin_are_noticed", "with the fault stale-token on, no read noticed"),
    ("no-steps", WALKS, "check_connection yields no step"),
    ("unwell", WALKS, "against its own twin these steps fail: harmless call"),
    ("names-somebody", WALKS, "check_connection sends an NHS number"),
    ("always-well", SAYS, "finds nothing wrong"),
    ("no-advice", SAYS, "a step fails without advice"),
    ("nobody-full", WALKS, "nobody of role `full` whom the system acme knows"),
]


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs the contract tests on adapters that are bad in these ways, all in one run, which is what takes long."""
    monkeypatch.setenv("COLUMNS", "1000")  # so that the summary's lines are whole

    def on(hows, *tests: str):
        pytester.path.joinpath("acme.txt").write_text(ACME, encoding="utf-8")
        pytester.makepyfile(test_acme=TESTS.replace("[HOWS]", repr(sorted(set(hows)))))
        return pytester.runpytest_inprocess("-q", "-rsfE", "-p", "no:cacheprovider", *tests)

    return on


def node(how: str, test: str) -> str:
    return f"test_acme.py::Test_{how.replace('-', '_')}::{test}"


def test_a_good_adapter_passes(run):
    result = run([""])
    # It does not trace, and pushes nothing.
    assert result.parseoutcomes() == {"passed": 19, "skipped": 3}
    result.stdout.fnmatch_lines(["*SKIPPED*the adapter does not trace*"])


def test_a_bad_adapter_fails_the_test_that_is_meant_for_it(run):
    nodes = [node(how, test) for how, test, _ in MEANT_FOR]
    result = run([how for how, _, _ in MEANT_FOR], *nodes)
    lines = [line for line in result.stdout.lines if line.startswith(("FAILED", "ERROR"))]
    unnoticed = [
        (how, test)
        for (how, test, words), each in zip(MEANT_FOR, nodes, strict=True)
        if not any(line.partition(" ")[2].startswith(each) and words in line for line in lines)
    ]
    assert unnoticed == []
    # What notices a leak must not repeat it.
    found = [line for line in result.stdout.lines if "holds a value" in line]
    assert found
    assert not any(value in line for line in found for value in ("Quillby", "9990000018", "Asthma"))


def test_an_undeclared_support_is_reported(run):
    result = run(["unknown"], node("unknown", "test_support_is_declared_for_every_capability"))
    assert result.parseoutcomes() == {"skipped": 1}
    result.stdout.fnmatch_lines(["*SKIPPED*support is unknown for: draft_pointer, *fetch_document, *read_alerts, *"])


def test_a_missing_fixture_is_named(pytester):
    pytester.makepyfile(
        "from mpftconnect.adapters.contract_tests import AdapterContract\nclass TestAcme(AdapterContract):\n    pass\n"
    )
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", "finds or support")
    result.stdout.fnmatch_lines(["*supply a fixture `spec` that returns the AdapterSpec under test*"])
    assert "passed" not in result.parseoutcomes()
