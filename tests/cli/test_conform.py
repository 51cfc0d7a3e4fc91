"""`conform` and `report`: exit codes by the table, every mistake at once, nothing of a person in what is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mpftconnect.cli.app import commands
from mpftconnect.cli.conform_command import conform_progress
from mpftconnect.cli.exits import run as run_command
from mpftconnect.conformance.catalog import Catalog, load_catalog
from mpftconnect.conformance.supplier_file import read_supplier
from mpftconnect.errors import ConfigurationError
from mpftconnect.events import Code, Event
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import Sandbox

PACK = "uk-core-r4"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(load_plugins())


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Result]]:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, answers: str = "") -> tuple[int, Result]:
        runner = CliRunner()
        kept: list[Result] = []

        def invoke() -> object:
            result = runner.invoke(commands, list(arguments), input=answers, standalone_mode=False)
            kept.append(result)
            if result.exception is not None:
                raise result.exception
            return result.return_value

        return run_command(invoke), kept[0]

    return call


FLAGS = (
    *("--product", "Record", "--product-version", "2.1", "--supplier", "A Supplier Ltd", "--ods", "ZZ999"),
    *("--environment", "test", "--base-url", "http://127.0.0.1:9/fhir", "--package", "mpftconnect.ukcore-rules"),
    *("--auth", "none", "--authorised-by", "A. Name", "--organisation", "A Trust", "--scope", "tests"),
)


def test_a_demonstration_leaves_a_report(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    code, result = cli("conform", "run", "--sandbox", "--pack", PACK, "--out", "r", "--events", "events.ndjson")
    assert code == 0, result.output
    assert "DEMONSTRATION: says nothing about any product" in result.output
    assert "Met the checks run" in result.output
    assert (tmp_path / "r" / "report.html").is_file()
    events = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    assert events[0]["code"] == "step-started"
    assert [e["code"] for e in events].count("requirement-judged") == 13
    assert "9990000018" not in (tmp_path / "events.ndjson").read_text()
    code, result = cli("report", "open", "r", "--no-browser")
    assert code == 0
    code, result = cli("report", "rejudge", "r", "--out", "again")
    assert code == 0
    assert "No outcome differs." in result.output
    code, result = cli("report", "export", "csv", "r", "--out", "mine.csv")
    assert code == 0


def test_the_progress_that_is_shown_is_the_stream_of_events(
    cli: Callable[..., tuple[int, Result]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, result = cli("conform", "run", "--sandbox", "--pack", PACK, "--out", "r", "--events", "events.ndjson")
    show = conform_progress()
    for line in (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        show(Event(Code(told.pop("code")), **{n: v for n, v in told.items() if n != "at"}))
    assert capsys.readouterr().err == result.stderr
    shown = result.stderr.splitlines()
    assert shown[0] == "starting ..." and shown[1] == "13 requirements ..."
    assert sum(line.lstrip().startswith(tuple(f"{n}/13 " for n in range(1, 14))) for line in shown) == 13
    # Writing takes longer than a short run: nobody waits without being told for what.
    written = [line.split()[1] for line in shown if line.startswith("writing ")]
    assert shown.index("done") < shown.index("writing report.html ...")
    assert {"report.html", "report.pdf", "report.docx", "report.xlsx", "junit.xml", "requirements.csv"} == set(written)


def test_standard_output_belongs_to_the_events_if_they_go_there(cli: Callable[..., tuple[int, Result]]) -> None:
    code, result = cli("conform", "run", "--sandbox", "--pack", PACK, "--out", "r", "--events", "-", "--quiet")
    assert code == 0
    codes = [json.loads(line)["code"] for line in result.stdout.splitlines()]
    assert codes[0] == "step-started" and codes[-1] == "step-finished"
    assert "DEMONSTRATION: says nothing about any product" in result.stderr
    assert "Report: r" in result.stderr


def test_a_fault_is_not_met_and_only_what_failed_is_run_again(
    cli: Callable[..., tuple[int, Result]], tmp_path: Path
) -> None:
    code, _ = cli("conform", "run", "--sandbox", "--pack", PACK, "--out", "r", "--fault", "filler")
    assert code == 1
    code, result = cli("conform", "run", "--sandbox", "--only-failed", "r", "--baseline", "r", "--out", "r2")
    assert code == 3, result.output
    report = json.loads((tmp_path / "r2" / "report.json").read_text())
    assert [(row["ref"], row["changed"]) for row in report["results"]] == [("UKC-08", "resolved")]
    assert report["packs"][0]["verdict"] == "undetermined"
    assert "UKC-01" in report["packs"][0]["not_run"] and "UKC-08" not in report["packs"][0]["not_run"]
    said = "Only 1 of 13 requirements of uk-core-r4 were run, after report "
    assert said in result.output
    for name in ("report.html", "requirements.csv", "junit.xml"):
        assert said in (tmp_path / "r2" / name).read_text(encoding="utf-8-sig"), name
    cli("report", "export", "hazards", "r2", "--out", "h.csv")
    assert "partial" in (tmp_path / "h.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    code, result = cli("report", "verify", "r2")
    assert "does not match" not in result.output, result.output
    assert f"partial: {said}" in result.output
    code, result = cli("report", "reproduce", "r", "UKC-08", "--out", "case")
    assert code == 0
    assert "filler" in (tmp_path / "case" / "case.txt").read_text()


def test_a_preset_narrows_the_run(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    code, _ = cli("conform", "run", "--sandbox", "--pack", PACK, "--preset", "procurement-minimum", "--out", "r")
    assert code == 0
    rows = json.loads((tmp_path / "r" / "report.json").read_text())["results"]
    assert {row["ref"] for row in rows if row["pack"] == PACK} == {"UKC-01", "UKC-02", "UKC-05", "UKC-09"}


def test_init_by_flags_writes_what_run_reads(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    code, result = cli("conform", "init", "supplier.toml", *FLAGS)
    assert code == 0, result.output
    supplier = read_supplier(tmp_path / "supplier.toml")
    assert supplier.subject.environment == "test"
    assert set(supplier.people) == {"full", "sparse", "restricted", "deceased"}
    code, _ = cli("conform", "init", "supplier.toml", *FLAGS)
    assert code == 2
    code, result = cli("conform", "run", "supplier.toml", "--pack", PACK, "--out", "r")
    assert code == 3
    assert "no connection" in result.output
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["packs"][0]["verdict"] == "undetermined"
    assert {f["kind"] for f in report["environment"]} == {"environment", "test-data"}


def test_init_by_questions(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    answers = "Record\n2.1\nA Supplier Ltd\n01234567\ntest\nhttps://fhir.example/r4\n\nbearer\nA. Name\nA Trust\n\n"
    code, result = cli("conform", "init", "s.toml", answers=answers)
    assert code == 0, result.output
    table = tomllib.loads((tmp_path / "s.toml").read_text())
    assert table["target"]["secrets"] == {"token": {"env": "SUPPLIER_TOKEN"}}
    assert "set SUPPLIER_TOKEN" in result.output


def test_init_of_a_product_that_speaks_mllp_alone(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    flags = [*FLAGS[: FLAGS.index("--base-url")], "--base-url", "", *FLAGS[FLAGS.index("--base-url") + 2 :]]
    lines = ("--mllp-receiver", "127.0.0.1:2575", "--mllp-sender", "2576")
    code, result = cli("conform", "init", "supplier.toml", *flags, *lines)
    assert code == 0, result.output
    assert "--pack hl7v2-uk" in result.output
    supplier = read_supplier(tmp_path / "supplier.toml")
    assert supplier.endpoint is None
    assert supplier.mllp.receiver is not None
    assert supplier.mllp.receiver.port == 2575
    assert supplier.mllp.sender is not None
    code, _ = cli("conform", "init", "other.toml", *flags, "--mllp-receiver", "nowhere")
    assert code == 2


def test_every_mistake_of_a_supplier_file_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "supplier.toml"
    file.write_text(
        """
version = 2
[product]
name = "P"
version = ""
supplier = "S"
[target]
environment = "production"
base_url = "https://fhir.example"
allow_writes = "yes"
colour = "red"
[target.secrets]
token = "Wolfenstein"
[authorised_by]
name = "A"
organisation = "B"
date = 2026-01-01
[people.full]
nhs_number = "9990000019"
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as raised:
        read_supplier(file)
    text = str(raised.value)
    for expected in (
        "version: expected 1",
        "product.version",
        "product: expected companies_house or ods",
        "target.environment",
        "target.colour",
        "target.secrets.token",
        "authorised_by.scope",
        "people.full.nhs_number",
    ):
        assert expected in text, expected
    assert "Wolfenstein" not in text
    assert "9990000019" not in text


def test_a_secret_never_stands_in_the_file(tmp_path: Path, cli: Callable[..., tuple[int, Result]]) -> None:
    cli("conform", "init", "supplier.toml", *FLAGS)
    file = tmp_path / "supplier.toml"
    file.write_text(file.read_text() + '\n[target.secrets]\ntoken = { value = "Wolfenstein" }\n')
    with pytest.raises(ConfigurationError, match="may not stand in the file") as raised:
        read_supplier(file)
    assert "Wolfenstein" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("conform", "run", "--sandbox"),
        ("conform", "run", "--pack", PACK),
        ("conform", "run", "--sandbox", "--pack", "nothing"),
        ("conform", "run", "--sandbox", "--preset", "nothing"),
        ("conform", "run", "--sandbox", "nobody", "--pack", PACK),
        ("conform", "run", "--sandbox", "--pack", PACK, "--fault", "nothing"),
        ("conform", "run", "missing.toml", "--pack", PACK),
        ("conform", "show", "UKC-99"),
        ("report", "open", "nowhere"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_usage(
    arguments: tuple[str, ...], cli: Callable[..., tuple[int, Result]]
) -> None:
    code, _ = cli(*arguments)
    assert code == 2


def test_the_people_to_enter_come_in_three_forms(
    cli: Callable[..., tuple[int, Result]], tmp_path: Path, catalog: Catalog
) -> None:
    code, result = cli("conform", "patients")
    assert code == 0
    assert "ROLE sparse" in result.output
    assert "[ ] severity.coding[0].display: Severe" in result.output
    code, _ = cli("conform", "patients", "--format", "csv", "--out", "people.csv")
    assert code == 0
    assert "full,Condition/diabetes,code.coding[0].code,44054006" in (tmp_path / "people.csv").read_text("utf-8-sig")
    code, _ = cli("conform", "patients", "--format", "fhir", "--out", "people")
    assert code == 0
    bundle = json.loads((tmp_path / "people" / "full.json").read_text())
    assert {"Patient", "CarePlan", "Organization"} <= {e["resource"]["resourceType"] for e in bundle["entry"]}
    code, _ = cli("conform", "patients", "--twin", "pds")
    assert code == 2


def test_packs_show_and_coverage(cli: Callable[..., tuple[int, Result]], catalog: Catalog) -> None:
    code, result = cli("conform", "packs")
    assert code == 0
    assert PACK in result.output
    code, result = cli("conform", "show", "uk-core-r4#9")
    assert code == 0
    assert "hazard:" in result.output
    assert "must catch: dropped-page" in result.output
    code, result = cli("conform", "coverage", PACK, "--format", "json")
    rows = json.loads(result.output)
    assert len(rows) == len(catalog.packs[PACK].requirements)
    assert all(row["verified by"] and (row["limits"] or row["verified by"] == "check") for row in rows)
    code, result = cli("conform", "coverage", "--format", "csv")
    assert code == 0


def test_ctrl_c_leaves_a_readable_partial_report(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no POSIX signals")
    from mpftconnect.adapters import Fault

    with Sandbox(load_plugins(), only=["uk-core"], faults={"uk-core": [Fault.SLOW]}) as sandbox:
        file = tmp_path / "supplier.toml"
        url = sandbox.hosts["uk-core"].base_url + "/fhir"
        file.write_text(
            f"""
version = 1
[product]
name = "P"
version = "1"
supplier = "S"
ods = "ZZ999"
[target]
environment = "test"
base_url = "{url}"
deadline_seconds = 20
[authorised_by]
name = "A"
organisation = "B"
date = 2026-01-01
scope = "all"
[people.full]
nhs_number = "9990000018"
""",
            encoding="utf-8",
        )
        arguments = [sys.executable, "-c", "from mpftconnect.cli import main; main()", "conform", "run", str(file)]
        process = subprocess.Popen(
            [*arguments, "--pack", PACK, "--out", str(tmp_path / "r")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ},
        )
        assert process.stderr is not None
        for line in process.stderr:  # the run has begun and waits for its first answer
            if b"requirements" in line:
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["run"]["partial"] == "interrupted"
    assert {row["outcome"]["status"] for row in report["results"]} == {"not-tested"}
    assert b"PARTIAL" in out


def test_hazards_are_rows_for_the_deployers_log(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    cli("conform", "run", "--sandbox", "--pack", PACK, "--out", "r", "--fault", "filler", "--quiet")
    code, result = cli("report", "export", "hazards", "r")
    assert code == 0, result.output
    text = (tmp_path / "hazards.csv").read_text(encoding="utf-8-sig")
    assert "(UKC-08)" in text and "failed" in text and "DEMONSTRATION" in text
    assert "Not a DTAC assessment" in text
    code, _ = cli("report", "export", "hazards", "r", "--out", "h.xlsx")
    assert code == 0 and (tmp_path / "h.xlsx").read_bytes()[:2] == b"PK"


def test_people_as_messages_are_structurally_valid(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    from mpftconnect.hl7v2 import check, parse

    code, result = cli("conform", "patients", "--format", "hl7v2", "--out", "p")
    assert code == 0, result.output
    messages = [parse(path.read_bytes()) for path in sorted((tmp_path / "p").glob("full-*.hl7"))]
    assert {str(m["MSH-9.2"]) for m in messages} == {"A28", "A31", "R01"}
    assert all(str(m["PID-3.1"]) == "9990000018" and not list(check(m)) for m in messages)
    assert "enter by the sheet" in result.output


def test_due_names_what_runs_out(cli: Callable[..., tuple[int, Result]], tmp_path: Path) -> None:
    cli("conform", "init", "supplier.toml", *FLAGS)
    code, _ = cli("conform", "due", "--pack", PACK)
    assert code == 0
    asked = '[[exception]]\nrequirement = "UKC-12"\nreason = "a"\nowner = "b"\nexpires = 2020-01-01\nhazard = "H-1"\n'
    with (tmp_path / "supplier.toml").open("a") as file:
        file.write(asked)
    code, result = cli("conform", "due", "--pack", PACK, "--json")
    assert code == 1
    assert json.loads(result.output)["past"] is True
