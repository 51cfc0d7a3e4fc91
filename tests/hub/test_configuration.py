"""Every mistake of a configuration at once, with file, key and what is expected; secrets only as references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters.contract import AdapterSpec, Capability, TriedAgainst, only
from mpftconnect.errors import ConfigurationError
from mpftconnect.governance.exclusion import exclusion_spec
from mpftconnect.governance.policies import PolicySpec
from mpftconnect.hub.configuration import load_configuration
from mpftconnect.model import Model
from mpftconnect.plugins import Plugin, PluginRegistry


class Own(Model):
    wanted: int
    folder: str = "x"


SPEC = AdapterSpec(
    name="acme", supplier="Acme", product="Record", tried_against=TriedAgainst("nothing"),
    capabilities=only(Capability.FIND_PATIENT), open=lambda context: None,  # type: ignore[arg-type,return-value]
    settings=Own, secrets=("token",), optional_secrets=("spare",),
)  # fmt: skip
REGISTRY = PluginRegistry((Plugin("acme", "mpftconnect-acme", "1", None, (SPEC,), (), (exclusion_spec,)),))

GOOD = """
version = 1

[audit]
store = "audit/trail.sqlite"
anchor = "anchor/anchor.jsonl"
fallback = "fallback/entries.jsonl"
key = { file = "key" }

[privacy]
store = "privacy/trail.sqlite"
anchor = "anchor/privacy.jsonl"
fallback = "fallback/privacy.jsonl"
key = { env = "MPFT_TEST_KEY" }

[systems.acme]
adapter = "acme"
endpoint = "https://acme.example/fhir"
settings = { wanted = 3 }
secrets = { token = { env = "MPFT_TEST_TOKEN" } }
agreement = { name = "ISA-1", parties = ["RRE"], purposes = ["direct-care"], sections = ["all"], expires = 2030-01-01 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "key").write_text("00" * 32)
    monkeypatch.setenv("MPFT_TEST_KEY", "11" * 32)
    monkeypatch.setenv("MPFT_TEST_TOKEN", "s3cret-token")
    return tmp_path


def load(folder: Path, text: str) -> Any:
    (folder / "mpftconnect.toml").write_text(text)
    return load_configuration(folder / "mpftconnect.toml", REGISTRY)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(folder, text)
    assert all(line.startswith("mpftconnect.toml: ") for line in refused.value.problems)
    return str(refused.value)


def test_a_good_file(folder: Path) -> None:
    known = load(folder, GOOD)
    (system,) = known.systems
    assert system.own == Own(wanted=3)
    assert system.secrets == {"token": "s3cret-token"}
    assert system.settings.environment == "live"
    assert known.audit_key == bytes(32)
    assert known.path("a/b") == folder.resolve() / "a/b"


def test_every_mistake_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPFT_TEST_TOKEN")
    text = (
        GOOD.replace("version = 1", "version = 2\nstray = 1")
        .replace('key = { file = "key" }', 'key = { file = "nokey" }')
        .replace("wanted = 3", 'wanted = "many"')
        .replace("https://acme.example/fhir", "ftp://acme")
        + '\n[systems.other]\nadapter = "nobody"\n'
        "agreement = { name = 'x', parties = [], purposes = [], sections = [], expires = 2030-01-01 }\n"
        '\n[[policies]]\npolicy = "unknown-policy"\n'
    )
    said = problems(folder, text)
    for expected in (
        "version: ", "stray: no such setting", "audit.key: the file nokey cannot be read",
        "systems.acme.settings.wanted: ", "systems.acme.endpoint: expected the base URL",
        "systems.acme.secrets.token: the environment variable MPFT_TEST_TOKEN is not set",
        "systems.other.adapter: no installed plugin provides adapter 'nobody'",
        "policies[0].policy: no installed plugin provides this policy (installed: never-shown)",
    ):  # fmt: skip
        assert expected in said, expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version = 1", "", "version: "),
        ('store = "audit/trail.sqlite"', "", "audit.store: "),
        ("[systems.acme]", "[systems.acme]\nenviroment = 'test'", "systems.acme.enviroment: no such setting"),
        ("[systems.acme]", "[systems.acme]\nenvironment = 'prod'", "systems.acme.environment: "),
        ("[systems.acme]", "[systems.acme]\nzone = 'Mars/Olympus'", "systems.acme.zone: "),
        ("[systems.acme]", "[systems.acme]\nca_bundle = 'none.pem'", "there is no file none.pem"),
        ("[systems.acme]", "[hub]\ntrace = 'pds'\n[systems.acme]", "hub.trace: expected the name of one"),
        ("https://acme.example", "http://acme.example", "a live system needs https"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ value = "Wolfenstein" }', "a secret may not stand in the file"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ env = "A", file = "b" }', "systems.acme.secrets.token"),
        ("secrets = { token", "secrets = { tokem", "adapter acme knows no such secret"),
        ("agreement = ", "agreementt = ", "systems.acme.agreement: "),
        ("2030-01-01", "'never'", "systems.acme.agreement.expires: "),
    ],
)
def test_one_mistake(folder: Path, old: str, new: str, expected: str) -> None:
    said = problems(folder, GOOD.replace(old, new))
    assert expected in said
    assert "Wolfenstein" not in said


def test_a_short_key_says_how_to_make_one(folder: Path) -> None:
    (folder / "key").write_text("short")
    assert "at least 32 bytes" in problems(folder, GOOD)


def test_no_file_no_toml_and_no_text(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_configuration(folder / "none.toml", REGISTRY)
    assert "not TOML" in problems(folder, "version = ")
    (folder / "mpftconnect.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(folder / "mpftconnect.toml", REGISTRY)


def test_a_policy_that_cannot_be_made(folder: Path) -> None:
    text = GOOD + '\n[[policies]]\npolicy = "never-shown"\nsettings = { code_files = ["no-such-file.txt"] }\n'
    assert "policies[0].settings: code_files.0: cannot be read (FileNotFoundError)" in problems(folder, text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", 'version = "1"', "version: "),
        (
            'store = "privacy/trail.sqlite"',
            'store = "audit/../audit/trail.sqlite"',
            "privacy.store: expected a file of its own",
        ),
        (
            'fallback = "fallback/privacy.jsonl"',
            'fallback = "anchor/anchor.jsonl"',
            "privacy.fallback: expected a file of",
        ),
        ("[systems.acme]", '[hub]\ntrace = "acme"\n[systems.acme]', "hub.trace: adapter acme cannot trace people"),
        ("[systems.acme]", '[hub]\ntrace = "nobody"\n[systems.acme]', "hub.trace: expected the name of one of"),
        ("[systems.acme]", '[systems."../acme"]', "systems.../acme: expected a name of letters"),
        ("https://acme.example/fhir", "https://me:s3cret-token@acme.example/fhir", "systems.acme.endpoint: "),
        ("https://acme.example/fhir", "https://", "systems.acme.endpoint: "),
        ('"https://acme.example/fhir"', '"https://acme.example"\nclient_key = "key"', "expected client_certificate"),
        ('"https://acme.example/fhir"', '"https://acme.example"\nrate_per_second = inf', "rate_per_second"),
        ('sections = ["all"]', 'sections = ["alergies"]', "agreement.sections"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ file = "empty" }', "secrets.token: the file empty is empty"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ file = "." }', "secrets.token: the file . cannot be read"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ env = "MPFT_TEST_BLANK" }', "MPFT_TEST_BLANK is not set, or empty"),
        ('{ env = "MPFT_TEST_TOKEN" }', '{ value = "s3cret-token" }', "may not stand in the file"),
        ('{ env = "MPFT_TEST_TOKEN" }', '"s3cret-token"', "secrets.token"),
        ('{ env = "MPFT_TEST_KEY" }', '{ file = "key" }', "privacy.key: expected a key of its own"),
    ],
)
def test_each_mistake_names_its_key_and_repeats_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    (folder / "empty").write_text("\ufeff \n")
    monkeypatch.setenv("MPFT_TEST_BLANK", " \n")
    assert old in GOOD
    told = problems(folder, GOOD.replace(old, new))
    assert said in told
    assert "s3cret" not in told


def test_what_cannot_even_be_read(folder: Path) -> None:
    for text in ("a = " + "[" * 100_000, "a = 1\x00", "a = 1\na = 2"):
        assert "not " in problems(folder, text)
    for path in (folder, folder / "x\x00y"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load_configuration(path, REGISTRY)


def test_code_files_stand_beside_the_configuration(folder: Path) -> None:
    (folder / "codes.txt").write_text("222\n")
    text = GOOD + '\n[[policies]]\npolicy = "never-shown"\nsettings = { code_files = ["codes.txt"] }\n'
    assert len(load(folder, text).policies) == 1


def test_a_policy_of_a_stranger_that_cannot_be_made(folder: Path) -> None:
    def build(settings: Any) -> Any:
        raise KeyError("s3cret")

    spec = PolicySpec(name="theirs", kind="declared", settings=Own, build=build)
    registry = PluginRegistry((Plugin("acme", "mpftconnect-acme", "1", None, (SPEC,), (), (spec,)),))
    (folder / "x.toml").write_text(GOOD + '\n[[policies]]\npolicy = "theirs"\nsettings = { wanted = 1 }\n')
    with pytest.raises(
        ConfigurationError, match=r"policies\[0\]\.settings: policy theirs could not be made \(KeyError\)"
    ):
        load_configuration(folder / "x.toml", registry)


def test_identity_decisions_stand_in_the_state_folder_under_the_audits_key_unless_told_otherwise(folder: Path) -> None:
    known = load(folder, GOOD)
    assert known.identity_store == folder.resolve() / "mpftconnect-state" / "identity" / "decisions.sqlite"
    assert known.identity_anchor.parent != known.identity_store.parent
    assert known.identity_key == known.audit_key
    assert (known.identity.proposers, known.identity.approvers) == (("any",), ("privacy-officer",))
    (folder / "own").write_text("22" * 32)
    told = GOOD + (
        '\n[identity]\nstore = "i/d"\nanchor = "j/a"\nkey = { file = "own" }\napprovers = ["lead"]\nopen_hours = 1\n'
    )
    known = load(folder, told)
    assert known.identity_store == folder.resolve() / "i/d"
    assert known.identity_anchor == folder.resolve() / "j/a"
    assert known.identity_key == bytes.fromhex("22" * 32)
    assert known.identity.approvers == ("lead",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[identity]\nstore = "audit/trail.sqlite"', "identity.store: expected a file of its own; audit.store names"),
        ('[identity]\nstore = "x"\nanchor = "x"', "identity.anchor: expected a file of its own; identity.store names"),
        ('[identity]\nkey = { file = "nokey" }', "identity.key: the file nokey cannot be read"),
        ('[identity]\nkey = { file = "short" }', "identity.key: expected at least 32 bytes"),
        ("[identity]\nopen_hours = 0", "identity.open_hours: "),
        ('[roles.nurse]\nsections = ["secrets"]', "roles.nurse.sections"),
        ('[roles.nurse]\nsection = ["all"]', "roles.nurse.section: no such setting"),
        ('[roles.nurse]\nsections = []\n[roles."Nurse "]\nsections = []', "roles: expected each once"),
        (
            '[roles.a]\nsections=[]\ncodes=["R1"]\n[roles.b]\nsections=[]\ncodes=["r1"]',
            "roles: codes: expected",
        ),
        ('[roles.a]\nsections = []\ncodes = [" "]', "roles: codes: expected each once"),
        ('[hub]\nunlisted_role = "some"', "hub.unlisted_role: "),
    ],
)
def test_mistakes_about_roles_and_identity(folder: Path, text: str, expected: str) -> None:
    (folder / "short").write_text("short")
    assert expected in problems(folder, f"{GOOD}\n{text}\n")


@pytest.mark.parametrize(
    ("environment", "more", "unlisted"),
    [
        ("live", "", "none"),
        ("test", "", "all"),
        ("test", '[roles.nurse]\nsections = ["all"]', "none"),
        ("live", '[hub]\nunlisted_role = "all"', "all"),
        ("test", '[hub]\nunlisted_role = "none"', "none"),
    ],
)
def test_who_is_not_listed_sees_nothing_unless_all_is_a_test(
    folder: Path, environment: str, more: str, unlisted: str
) -> None:
    text = GOOD.replace("[systems.acme]", f'[systems.acme]\nenvironment = "{environment}"')
    assert load(folder, f"{text}\n{more}\n").roles.unlisted == unlisted
