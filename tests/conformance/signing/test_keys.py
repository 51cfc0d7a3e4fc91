from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mpftconnect.conformance.signing import load_key, make_key, read_trust
from mpftconnect.errors import ConfigurationError, UsageError

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def test_a_key_comes_back_as_it_was_made(tmp_path: Path) -> None:
    made = make_key(tmp_path / "a.key")
    assert load_key(tmp_path / "a.key").id == made.id
    assert len(made.id) == 64


@posix
def test_nobody_else_can_read_a_new_key_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(tmp_path / "a.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    make_key(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(mode)
    with pytest.raises(UsageError, match="can be read by others"):
        load_key(tmp_path / "a.key")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = make_key(tmp_path / "a.key")
    with pytest.raises(UsageError, match="never overwritten"):
        make_key(tmp_path / "a.key")
    assert load_key(tmp_path / "a.key").id == first.id


def test_a_passphrase_locks_the_file(tmp_path: Path) -> None:
    made = make_key(tmp_path / "a.key", passphrase="four words of invention")
    assert b"ENCRYPTED" in (tmp_path / "a.key").read_bytes()
    assert load_key(tmp_path / "a.key", passphrase="four words of invention").id == made.id
    with pytest.raises(UsageError, match="is encrypted"):
        load_key(tmp_path / "a.key")
    with pytest.raises(UsageError, match="no key that this passphrase opens"):
        load_key(tmp_path / "a.key", passphrase="others")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="holds no key"):
        load_key(path)


def test_the_private_key_shows_in_no_representation(tmp_path: Path) -> None:
    assert "private=" not in repr(make_key(tmp_path / "a.key"))


def test_every_mistake_of_a_trust_file_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(
        'version = 2\n[[key]]\nname = ""\norganisation = "O"\nrole = "king"\npublic = "AAAA"\nfrom = 2026-01-01\n'
        '[[revoked]]\nkey = "x"\non = 2026-01-01\nbecause = "lost"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as caught:
        read_trust(path)
    said = "\n".join(caught.value.problems)
    for place in ("version", "key.0.name", "key.0.role", "key.0.public", "revoked.0.key"):
        assert f"trust.toml: {place}" in said


def test_a_key_stands_in_a_trust_file_once_and_for_some_time(tmp_path: Path) -> None:
    key = make_key(tmp_path / "a.key")
    row = f'[[key]]\nname = "N"\norganisation = "O"\nrole = "buyer"\npublic = "{key.public}"\nfrom = 2026-02-01\n'
    path = tmp_path / "trust.toml"
    path.write_text(f"version = 1\n{row}{row}until = 2026-01-01\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_trust(path)
    assert [p.partition(": ")[2] for p in caught.value.problems] == [
        "key.1.public: stands above already, as N",
        "key.1.until: is before from",
    ]
