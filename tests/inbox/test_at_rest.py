"""What is kept is sealed or said not to be, and goes when its time or its person's wish has come."""

from __future__ import annotations

import builtins
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.errors import ConfigurationError
from mpftconnect.inbox import Encrypted, SqliteStore, StoreFailed, Unencrypted
from mpftconnect.inbox.change_text import NotStored, from_text, to_text
from mpftconnect.model import SectionName

from .conftest import ADA, BEA, NOW, Bench, message

KEY = bytes(range(32))


def bytes_of(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(folder.iterdir()))


FIRST = message("1", "ZCH|result-replace|RESULTNUMBER|4.25||", "ZCH|person-upsert|M1|TESTWORTH")


def filled(one: Bench) -> None:
    one.take(
        FIRST,
        message("2", "ZCH|visit-upsert|V2|noted", nhs=BEA, local="M2", family="OTHERMAN"),
        message("3", "ZCH|visit-upsert|V3", nhs="9990000042", local="M9", family="UNKNOWNMAN"),
    )


@pytest.mark.parametrize("sealed", [True, False])
def test_with_a_key_nothing_of_a_person_is_readable_and_without_one_it_says_so(bench, tmp_path: Path, sealed: bool):
    one = bench(protection=Encrypted(KEY) if sealed else Unencrypted())
    filled(one)
    assert len(one.inbox.items(("pas",), ADA, SectionName.RESULTS)) == 1
    assert one.store.entry(1).body == message(
        "1", "ZCH|result-replace|RESULTNUMBER|4.25||", "ZCH|person-upsert|M1|TESTWORTH"
    )
    one.inbox.close()
    everything = bytes_of(tmp_path / "inbox")
    words = (ADA, BEA, "TESTWORTH", "OTHERMAN", "UNKNOWNMAN", "RESULTNUMBER", "4.25", "noted")
    found = [word for word in words if word.encode() in everything]
    assert found == ([] if sealed else list(words))
    assert one.store.protection.name == ("aes-256-gcm" if sealed else "none")


def test_a_damaged_or_exchanged_record_is_refused(bench):
    one = bench(protection=Encrypted(KEY))
    filled(one)
    with sqlite3.connect(one.store.path) as db:
        # The body of the second message in place of the first's.
        db.execute("UPDATE log SET body = (SELECT body FROM log WHERE seq = 2) WHERE seq = 1")
    db.close()
    with pytest.raises(StoreFailed, match="entry-unreadable") as failed:
        one.store.entry(1)
    assert failed.value.__suppress_context__
    assert one.store.entry(2) is not None


def test_a_key_that_is_too_short_or_no_library_is_said(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigurationError, match="at least 32 bytes"):
        Encrypted(b"short")
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="extra"):
        Encrypted(KEY)


# --- one person's erasure ---


@pytest.mark.parametrize("sealed", [True, False])
def test_one_person_is_erased_from_free_pages_and_the_log_too(bench, tmp_path: Path, sealed: bool):
    one = bench(protection=Encrypted(KEY) if sealed else None)
    filled(one)
    # Not yet processed; parked by another sender; and one that names the person only in words.
    one.inbox.receive(message("4", family="WAITINGWORTH"))
    one.inbox.receive(message("5", sender="X|Y", family="STRAYWORTH"))
    one.inbox.receive(
        message("6", f"NTE|1||call about {ADA[:3]} {ADA[3:6]} {ADA[6:]}", nhs=None, local=None, family="W")
    )
    one.inbox.receive(message("7", nhs=BEA, local="M2", family="STAYSMAN"))
    assert one.store.erase(ADA) == 4
    assert one.inbox.items(("pas",), ADA, SectionName.RESULTS) == []
    assert [e.control_id for e in one.store.entries(["received", "processed", "parked"])] == ["2", "3", "7"]
    one.inbox.process()
    assert len(one.inbox.items(("pas",), BEA, SectionName.ENCOUNTERS)) == 1
    one.inbox.close()
    everything = bytes_of(tmp_path / "inbox")
    for word in (ADA, "TESTWORTH", "WAITINGWORTH", "STRAYWORTH", "RESULTNUMBER"):
        assert word.encode() not in everything
    assert sealed or b"OTHERMAN" in everything
    assert one.store.erase(ADA) == 0


def test_erasing_takes_the_links_and_numbers_too(bench):
    one = bench()
    one.take(
        message("1"), message("2", "ZCH|visit-upsert|V1"), message("3", "ZCH|merge|L1|OLD^^^ZZ1^MR", kind="ADT^A40")
    )
    one.store.erase(ADA)
    assert one.inbox.links() == [] and one.store.known_people(["https://zz1.example/ZZ1|M1"]) == {}
    with sqlite3.connect(one.store.path) as db:
        for table in ("things", "names", "changes", "subjects", "numbers", "links", "log"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    db.close()


def test_a_link_whose_message_was_purged_goes_with_its_person(bench):
    one = bench()
    one.take(message("1"), message("2", "ZCH|merge|L1|OLD^^^ZZ1^MR", kind="ADT^A40"))
    one.store.purge(NOW + timedelta(days=1))
    assert len(one.inbox.links()) == 1
    one.store.erase(ADA, ["https://zz1.example/ZZ1|M1"])
    assert one.inbox.links() == []


def test_erasing_leaves_no_free_page(bench):
    one = bench()
    one.take(*(message(str(n), f"ZCH|visit-upsert|V{n}", "NTE|1||" + "x" * 9000) for n in range(20)))
    one.store.erase(ADA)
    with sqlite3.connect(one.store.path) as db:
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
    db.close()


# --- retention ---


def test_purging_keeps_what_stands_and_a_replay_still_agrees(bench):
    one = bench()
    one.take(
        message("1", "ZCH|result-replace|R1|4", at="20260101090000"),
        message("2", "ZCH|visit-upsert|V1|kept", at="20260101090000"),
        message("3", "ZCH|visit-upsert|V3", at="20260101090000", nhs="9990000042", local="M9"),
    )
    one.tick(days=30)
    one.take(message("4", "ZCH|visit-upsert|V1", at="20260201090000"))
    assert one.store.purge(NOW + timedelta(days=1)) == 2
    # The result's time was over; of the visit, changed since, all that is known stays; the unsettled waits.
    assert one.inbox.items(("pas",), ADA, SectionName.RESULTS) == []
    (visit,) = one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)
    assert visit.item.note == ("kept",)
    assert [e.control_id for e in one.store.entries(["processed", "parked"])] == ["3", "4"]
    before = one.store.projection_digest()
    one.inbox.replay()
    assert one.store.projection_digest() == before
    assert one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)[0].item.note == ("kept",)
    # A hospital number that a purged message taught is still known.
    one.take(message("5", "ZCH|result-replace|R9|5", nhs=None, local="M1", at="20260202090000"))
    assert len(one.inbox.items(("pas",), ADA, SectionName.RESULTS)) == 1
    # And a late old message does not undo what newer, purged ones said.
    one.take(message("6", "ZCH|visit-upsert|V1|stale", at="20251201090000"))
    assert one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)[0].item.note == ("kept",)


def test_nothing_to_purge_is_nothing(bench):
    one = bench()
    assert one.store.purge(NOW) == 0


# --- what is written is read back exactly ---


def test_only_known_types_come_back():
    for text in ("{", "[", '{"":"os.system"}', '{"":"#","decimal":"x"}', '{"":"Patient","nonsense":1}', '{"":"#"}'):
        with pytest.raises(NotStored) as refused:
            from_text(text)
        assert refused.value.__context__ is None or refused.value.__suppress_context__
    with pytest.raises(NotStored):
        to_text(object())


def test_a_store_of_another_version_is_refused(bench, tmp_path: Path):
    one = bench()
    one.inbox.receive(message("1"))
    with sqlite3.connect(one.store.path) as db:
        db.execute("UPDATE about SET value = '99' WHERE name = 'version'")
    db.close()
    with pytest.raises(StoreFailed, match="another-version"):
        SqliteStore(tmp_path / "inbox").entry(1)
