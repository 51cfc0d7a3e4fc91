"""The HTML report: what it must say, in which order, and that nothing of a supplier's is more than text in it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.reporting.document import exchanges_shown, report_of
from mpftconnect.conformance.reporting.page import page_bytes
from mpftconnect.conformance.reporting.summary import summary_of
from mpftconnect.conformance.reporting.words import DEMONSTRATION, IS, IS_NOT
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE


class Markup(HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [str(value) for name, value in attrs if name == "id"]
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def failing(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> RunResult:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    twin.faults.set("vital-sign-unit", "wrong-display")
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    transport = TwinTransport(twin, "http://twin.invalid")
    chosen = catalog.choose(["uk-core-r4"])
    return Run(supplier, chosen, catalog.checks, transport=transport, definitions=definitions).go()


@pytest.fixture(scope="module")
def report(failing: RunResult, catalog: Catalog) -> dict[str, Any]:
    return report_of(failing, catalog.checks, power=catalog.power)


@pytest.fixture(scope="module")
def page(report: dict[str, Any], failing: RunResult) -> str:
    return page_bytes(summary_of(report, exchanges_shown(failing.exchanges))).decode()


def test_it_says_first_what_it_is_and_is_not(page: str) -> None:
    places = [page.index(text) for text in (DEMONSTRATION, IS[0], IS_NOT[0], "Summary by pack and level")]
    assert places == sorted(places)
    assert page.count(DEMONSTRATION) >= 2
    assert "<title>DEMONSTRATION" in page


def test_failed_musts_come_before_other_failures(report: dict[str, Any]) -> None:
    rows = [dict(row) for row in report["results"]]
    failed = next(row["outcome"] for row in rows if row["outcome"]["status"] == "fail")
    rows[0] |= {"outcome": failed, "decides": False, "level": "should"}
    page = page_bytes(summary_of({**report, "results": rows})).decode()
    refs = re.findall(r'<summary><span class="ref">(\S+)</span>', page)
    musts = [r["ref"] for r in rows if r["outcome"]["status"] == "fail" and r["decides"]]
    assert refs[: len(musts) + 1] == [*musts, rows[0]["ref"]]


def test_failed_musts_come_first_and_each_opens_to_cause_and_exchange(page: str, report: dict[str, Any]) -> None:
    refs = re.findall(r'<summary><span class="ref">(\S+)</span>', page)
    failed = [r["ref"] for r in report["results"] if r["outcome"]["status"] == "fail" and r["decides"]]
    assert failed and refs[: len(failed)] == failed
    first = page[page.index('<details class="requirement" id="r-') :].split("</details>")[0]
    for words in ("Findings", "Likely cause", "What would mend it", "Try it yourself", "Exchanges", "Hazard"):
        assert words in first, words


def part(page: str, id_: str) -> str:
    return page[page.index(f'<h2 id="{id_}">') :].split("</section>")[0]


def test_it_speaks_in_sentences(report: dict[str, Any]) -> None:
    finding = {
        "kind": "test-data",
        "code": "x",
        "words": "nobody is named",
        "mend": "name one",
        "requirements": ["a#1"],
    }
    rows = [dict(row) for row in report["results"]]
    cause = {"kind": "environment", "because": "supplier.toml names nobody", "mend": "name one"}
    rows[0] |= {"outcome": {"status": "not-tested", "observations": 0, "reason": "no person came", "cause": cause}}
    cause = {"kind": "environment", "because": "no answer came"}
    rows[1] |= {"outcome": {"status": "not-tested", "observations": 0, "reason": "no answer came", "cause": cause}}
    page = re.sub(
        r"<[^>]+>", "", page_bytes(summary_of({**report, "results": rows, "environment": [finding]})).decode()
    )
    assert "Test data: nobody is named. Name one. It touches 1 requirement." in page
    assert "No person came.Likely cause: the environment. supplier.toml names nobody." in page
    assert "No answer came.Likely cause: the environment." in page
    assert "the environment. No answer came" not in page  # what was just said is not said again


def test_a_short_reason_says_where(page: str, report: dict[str, Any]) -> None:
    places = [r["outcome"]["findings"][0]["place"] for r in report["results"] if r["outcome"]["status"] == "fail"]
    assert places and all(f"(<bdi>{place}</bdi>)" in part(page, "failed") for place in places)


def test_the_minute_of_a_short_run_is_said_once(report: dict[str, Any]) -> None:
    run = {**report["run"], "started": "2026-11-25T10:00:01+00:00", "finished": "2026-11-25T10:00:04+00:00"}
    said = "<dt>Run</dt><dd><bdi>25 November 2026, 10:00 GMT</bdi></dd>"
    assert said in page_bytes(summary_of({**report, "run": run})).decode()
    run["finished"] = "2026-11-25T10:02:04+00:00"
    both = "25 November 2026, 10:00 GMT to 25 November 2026, 10:02 GMT"
    assert both in page_bytes(summary_of({**report, "run": run})).decode()


def test_exchanges_that_are_not_shown_are_counted(report: dict[str, Any], failing: RunResult) -> None:
    shown = exchanges_shown(failing.exchanges)
    of_outcomes = {id_ for row in report["results"] for id_ in row["exchanges"]}
    beside = len(shown) - len(of_outcomes)
    assert beside > 0, "the first request, which no requirement stands on"
    verb = "does" if beside == 1 else "do"
    said = f"So {verb} {beside} more that no outcome stands on."
    assert said in part(page_bytes(summary_of(report, shown)).decode(), "exchanges")
    assert (
        "more that no outcome" not in page_bytes(summary_of({**report, "exchanges": len(of_outcomes)}, shown)).decode()
    )


def test_a_real_product_is_not_marked_as_a_demonstration(report: dict[str, Any]) -> None:
    real = {name: value for name, value in report.items() if name != "demonstration"}
    assert "DEMONSTRATION" not in page_bytes(summary_of(real)).decode()


def test_what_is_not_asked_stands_apart_from_what_passed(report: dict[str, Any]) -> None:
    rows = [dict(row) for row in report["results"]]
    rows[0] |= {"outcome": {"status": "not-asked", "observations": 0, "reason": "Charter signed; nothing seen"}}
    page = page_bytes(summary_of({**report, "results": rows})).decode()
    apart = page[page.index('<h2 id="excused">') :].split("</section>")[0]
    assert "Charter signed; nothing seen" in apart and rows[0]["ref"] in apart


def test_a_document_that_is_out_of_date_says_so(report: dict[str, Any]) -> None:
    files = [{"kind": "penetration-test", "name": "pen.pdf", "issued": "2020-01-01", "due": "2021-01-01"}]
    page = page_bytes(summary_of({**report, "files": files})).decode()
    assert "In date until 2021-01-01" in page and "Out of date on the day of the run" in page


def test_a_grant_stands_beside_its_exception_and_only_there(report: dict[str, Any]) -> None:
    rows = [dict(row) for row in report["results"]]
    asked = {"reason": "mended in 4.3", "owner": "R. Okafor", "expires": "2027-01-01", "hazard": "H-1"}
    rows[0] |= {"exception": asked}
    plain = page_bytes(summary_of({**report, "results": rows})).decode()
    assert "No grant was seen: the outcome stands." in plain
    grant = {"requirement": rows[0]["id"], "granted_by": "Key (Trust)", "until": "2026-12-31", "reason": "agreed"}
    granted = page_bytes(summary_of({**report, "results": rows}, grants=[{**grant, "expired": ""}])).decode()
    assert "Key (Trust)" in granted and "No grant was seen" not in granted
    other = page_bytes(summary_of({**report, "results": rows}, grants=[{**grant, "requirement": "x#1"}])).decode()
    assert "No grant was seen" in other


def test_the_page_needs_nothing_else_and_its_policy_names_its_own_style_and_script_only(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert "unsafe" not in allowed and "default-src 'none'" in allowed
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)
        assert f"{tag}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in allowed
    assert all(link.startswith("#") for link in Markup(page).links)


def test_nothing_of_a_supplier_is_markup_wherever_it_stands(report: dict[str, Any], hostile_summary: Any) -> None:
    made = page_bytes(hostile_summary(report)).decode()
    found = Markup(made)
    assert found.tags.count("script") == 1 and found.tags.count("style") == 1
    assert not {"img", "svg", "iframe", "object", "form"} & set(found.tags)
    assert not {name for name in found.attributes if name.startswith("on")}
    assert len(found.ids) == len(set(found.ids)) and all(re.fullmatch(r"[a-z0-9-]+", id_) for id_ in found.ids)
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert "&lt;script&gt;alert(1)" in made and "49{%" not in made
    assert "\u202e" not in made and "[U+202E]" in made


def test_the_page_quotes_what_no_check_notices(report: dict[str, Any], page: str) -> None:
    assert report["packs"][0]["power"]["mutations"]["uk-core"]["classes"]
    assert "What the checks do not notice (twin uk-core:" in page
    assert "Displays are compared with an imported release" in page
    assert "not noticed, being outside what the pack requires" in page
