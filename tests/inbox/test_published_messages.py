"""Published messages through the real mapping: all are kept, what is written is read back, and a replay agrees."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from mpftconnect.hl7v2 import map_message, parse
from mpftconnect.inbox import Answering
from mpftconnect.inbox.change_text import from_text, to_text
from mpftconnect.inbox.files import messages_in
from mpftconnect.inbox.mapping import site_mapper
from mpftconnect.inbox.people import Belonging

from .conftest import ADA

REPOSITORY = Path(__file__).resolve().parents[2]
ARCHIVE = Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material") / "hl7v2.tgz"
needs_material = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason="no published material: set MPFT_MATERIAL to the folder that holds hl7v2.tgz"
)


def published() -> list[bytes]:
    """Every message of the archive, in order of the files' names."""
    files: dict[str, bytes] = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            held = archive.extractfile(member) if member.isfile() and "/messages/" in f"/{member.name}" else None
            if held is not None:
                files[member.name] = held.read()
    return [message for name in sorted(files) for message in messages_in(files[name])]


@needs_material
def test_every_change_is_read_back_as_it_was():
    changes = 0
    for raw in published():
        for change in map_message(parse(raw)).changes:
            assert from_text(to_text(change)) == change
            changes += 1
    assert changes > 1000


@needs_material
def test_all_are_kept_and_a_replay_leaves_the_same(bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # These messages know no NHS numbers of ours: every one is taken for Ada's.
    monkeypatch.setattr("mpftconnect.inbox.inbox.belonging", lambda *given, **more: Belonging(ADA))
    one = bench(mapper=site_mapper({}, tmp_path), default_feed="default")
    codes = Counter(reply.code for reply in Answering(one.inbox)(published()))
    assert codes["AE"] == 0 and codes["AA"] > 300, codes
    one.inbox.process()
    done = [entry.seq for entry in one.store.entries(["processed"])]
    assert len(done) > 100
    before = one.store.projection_digest()
    one.inbox.replay()
    assert one.store.projection_digest() == before
    assert [entry.seq for entry in one.store.entries(["processed"])] == done
