"""A challenge in HL7 v2 messages: in those that we send, and in our acknowledgements of those that come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Recorded
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.reporting.folder import read_folder, write_folder
from mpftconnect.conformance.run import Run
from mpftconnect.conformance.signing import (
    Challenge,
    Verification,
    make_challenge,
    read_challenge,
    sign_report,
    verify_report,
)
from mpftconnect.conformance.signing.challenge import FILE as CHALLENGE_FILE
from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.hl7v2 import parse
from mpftconnect.sandbox import PEOPLE
from mpftconnect_conformance.checks.hl7v2_uk.asking import messages_of
from mpftconnect_conformance.twins.hl7v2_receiver import ReceiverTwin
from mpftconnect_conformance.twins.hl7v2_sender import SenderTwin

STARTED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 26)
ONLY = ("hl7v2-uk#1", "hl7v2-uk#2", "hl7v2-uk#7", "hl7v2-uk#8")
Change = Callable[[tuple[Recorded, ...]], tuple[Recorded, ...]]


@pytest.fixture
def challenged(tmp_path: Path, keys: Any, catalog: Catalog) -> Callable[..., Verification]:
    """Runs the pack for a buyer's challenge, signs the report, and gives what verify says of it."""
    path = tmp_path / "challenge.dsse.json"
    path.write_bytes(
        make_challenge(
            keys.buyer,
            product="Wardline",
            version="4.2",
            packs={"hl7v2-uk": catalog.packs["hl7v2-uk"].digest},
            expires=date(2026, 12, 24),
            buyer="An integrated care board",
            now=datetime(2026, 11, 20, tzinfo=UTC),
        )
    )
    asked, sealed = read_challenge(path)

    def run(mllp: Any, *, by: Challenge = asked) -> Verification:
        table = {
            "version": 1,
            "product": {"name": "Wardline", "version": "4.2", "supplier": "S", "ods": "ZZ999", "actors": list(mllp)},
            "target": {"environment": "test", "allow_writes": True},
            "authorised_by": {"name": "N", "organisation": "O", "date": "2026-11-01", "scope": "all"},
            "people": {"full": {"nhs_number": "9990000018", "entered": "2026-11-01"}},
            "mllp": mllp,
        }
        chosen = catalog.choose(["hl7v2-uk"], only=ONLY)
        supplier = supplier_from(table, folder=tmp_path)
        result = Run(supplier, chosen, catalog.checks, clock=lambda: STARTED, mark=by.mark).go()
        write_folder(
            tmp_path / "r",
            report_of(result, catalog.checks, challenge=asked.digest),
            supplier=result.supplier,
            exchanges=result.exchanges,
            preflight=[],
            today=STARTED.date().isoformat(),
            formats=(),
            attached={CHALLENGE_FILE: sealed},
        )
        sign_report(tmp_path / "r", keys.supplier, now=STARTED)
        return verify_report(tmp_path / "r", keys.trust(), today=TODAY)

    return run


def other(mark: Challenge) -> Challenge:
    return replace(mark, nonce="AQEBAQ==")


@pytest.fixture
def receiver() -> Any:
    twin = ReceiverTwin(PEOPLE)
    yield {"receiver": {"host": "127.0.0.1", "port": twin.line.port, "answer_seconds": 1.0}}
    twin.close()


def test_every_message_that_is_sent_carries_the_mark(
    challenged: Callable[..., Verification], receiver: Any, tmp_path: Path
) -> None:
    found = challenged(receiver)
    assert (found.verdict, found.run_by, found.mismatches) == ("unaltered", "challenged", ())
    asked, _ = read_challenge(tmp_path / "challenge.dsse.json")
    kept = [each for each in read_folder(tmp_path / "r").exchanges if each.protocol == "mllp"]
    ids = [(each.step, str(parse(raw)["MSH-10"])) for each in kept for raw in messages_of(each.request_body or b"")]
    assert len(ids) >= 10
    assert all(control.startswith(asked.mark(step)[:12]) and len(control) == 20 for step, control in ids)
    echoed = {str(parse(raw)["MSA-2"]) for each in kept for raw in messages_of(each.response_body or b"")}
    assert echoed <= {control for _, control in ids}
    twice = [control for step, control in ids if step == "send the same twice"]
    assert len({control for _, control in ids}) == len(ids) - 1 and twice[0] == twice[1]


def test_messages_that_carry_another_mark_answer_nobody(
    challenged: Callable[..., Verification], receiver: Any, tmp_path: Path
) -> None:
    asked, _ = read_challenge(tmp_path / "challenge.dsse.json")
    found = challenged(receiver, by=other(asked))
    assert found.run_by == "self-run"
    assert {each.says for each in found.mismatches} == {"does not carry the challenge's mark"}


def test_our_acknowledgements_of_what_comes_carry_the_mark(
    challenged: Callable[..., Verification], tmp_path: Path
) -> None:
    twin = SenderTwin(PEOPLE)
    try:
        found = challenged({"sender": {"port": twin.port, "seconds": 3.0, "quiet_seconds": 0.3}})
    finally:
        twin.close()
    assert (found.run_by, found.mismatches) == ("challenged", ())
    assert "1 message does not carry the challenge's mark: we answered none of them, and they may be older" in (
        found.notes
    )
    kept = [each for each in read_folder(tmp_path / "r").exchanges if each.response_body]
    asked, _ = read_challenge(tmp_path / "challenge.dsse.json")
    assert len(kept) == len(twin.messages())
    assert {str(parse(each.response_body or b"")["MSH-10"])[:12] for each in kept} == {
        asked.mark("message received")[:12]
    }


def test_messages_of_files_alone_answer_no_challenge(challenged: Callable[..., Verification], tmp_path: Path) -> None:
    twin = SenderTwin(PEOPLE)
    twin.close()
    (tmp_path / "sent").mkdir()
    for number, raw in enumerate(twin.messages()):
        (tmp_path / "sent" / f"{number}.hl7").write_bytes(raw)
    found = challenged({"sender": {"recorded": ["sent"]}})
    assert (found.verdict, found.run_by) == ("unaltered", "self-run")
    assert any(note.startswith("8 messages do not carry") for note in found.notes)
