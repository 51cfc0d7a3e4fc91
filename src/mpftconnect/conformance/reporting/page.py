"""The report as one HTML file for people who decide: it needs no network, and no script to be read.

Laid out to WCAG 2.2 level AA (W3C Recommendation, 5 October 2023) with the style sheet of the other pages. Whatever a
supplier's system sent is text; the policy (CSP Level 3) allows the one style sheet and the one script by their hashes.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup

from mpftconnect.conformance.numbers import many
from mpftconnect.conformance.outcome import ORDER, Status
from mpftconnect.conformance.power.survivors import WHY
from mpftconnect.conformance.reporting.summary import PackView, ResultView, Summary
from mpftconnect.conformance.reporting.words import (
    CAUSE_WORDS,
    FINDING_WORDS,
    LEVEL_WORDS,
    RUN_WORDS,
    STATUS_WORDS,
    sentence,
    stopped,
)
from mpftconnect.rendering import Style, clock_words, style_sheet, templates

__all__ = ["lists_of", "page_bytes", "power_words"]

_LONGEST_BODY = 20_000  # characters of a body that the page shows; the evidence holds the whole
_BAD, _DOUBT, _GOOD = "void", "doubtful", "good"
_TONES: Mapping[str, str] = {
    Status.FAIL: _BAD,
    Status.ERROR: _DOUBT,
    Status.INCONCLUSIVE: _DOUBT,
    Status.NOT_TESTED: _DOUBT,
    Status.PASS: _GOOD,
}
_VERDICT_TONES = {"not-met": _BAD, "undetermined": _DOUBT, "met-the-checks-run": _GOOD}


def page_bytes(summary: Summary, *, paper: bool = False) -> bytes:
    """The page.

    Args:
        paper: Leaves out what print does not show: the exchanges.
    """
    style, script = _style()
    ordered = _ordered(summary)
    shown = list({e.id: e for r in ordered for e in r.exchanges}.values())
    lists = lists_of(summary)
    day = str(summary.run["started"])[:10]
    moments = {name: _moment(summary.run.get(name)) for name in ("started", "finished", "rejudged")}
    parts = [
        ("summary", "Summary by pack and level", many(len(summary.packs), "pack")),
        *([("environment", "Environment and test data", str(len(summary.environment)))] if summary.environment else []),
        *((id_, title, str(len(results))) for id_, title, _, results in lists),
        ("exceptions", "Exceptions, responses and grants", str(len(summary.excepted))),
        ("evidence", "Age of the evidence", many(len(summary.files), "document")),
        ("requirements", "Every requirement", str(len(summary.results))),
        *([("exchanges", "Exchanges", str(len(shown)))] if shown else []),
        ("judge", "What judged", ""),
    ]
    text = (
        _template()
        .get_template("report.html")
        .render(
            s=summary,
            policy=style.policy,
            style=style.text,
            script=script,
            parts=parts,
            lists=lists,
            ordered=ordered,
            shown=shown,
            # Ids of requirements and exchanges are a pack's or a system's: what stands in the page's ids is ours.
            anchors={r.id: f"r-{number}" for number, r in enumerate(summary.results, 1)},
            numbers={e.id: number for number, e in enumerate(shown, 1)},
            moments=moments,
            ran=" to ".join(dict.fromkeys(filter(None, (moments["started"], moments["finished"])))),
            beside=int(summary.raw.get("exchanges", 0)) - len(shown),
            run_by=RUN_WORDS.get(summary.run["by"], summary.run["by"]),
            day=day,
            ages=[_age(str(f.get("issued", "")), day) for f in summary.files],
            statuses=[str(status) for status in Status if any(r.status is status for r in summary.results)],
            levels=[
                n for n in LEVEL_WORDS if any(n == ("advisory" if r.advisory else r.level) for r in summary.results)
            ],
            longest=_LONGEST_BODY,
            paper=paper,
        )
    )
    return text.strip().encode("utf-8", errors="replace") + b"\n"


def lists_of(s: Summary) -> list[tuple[str, str, str, tuple[ResultView, ...]]]:
    """The lists of the first pages: id, title, what they mean, and what stands in them."""
    return [
        ("failed", "Musts that failed", "Each of these alone makes its pack not met.", s.failed_musts),
        ("other", "Other failures", "These do not decide a verdict.", s.of(Status.FAIL, decides=False)),
        ("open", "Not tested or not decided, and why", "Nothing is known of these: they may be wrong.", s.undecided),
        (
            "excused",
            "Not asked, and not offered",
            "Not asked: the form excuses it, as a signed Charter does; nobody looked. Not offered: the supplier does "
            "not offer it.",
            s.of(Status.NOT_ASKED, Status.NOT_OFFERED),
        ),
        (
            "said",
            "Attested or evidence found, and not judged here",
            "A person says so, or a document was found and is in date. No assessor has decided.",
            s.of(Status.EVIDENCE_FOUND, Status.ATTESTED),
        ),
    ]


def power_words(pack: PackView) -> str:
    """What the checks of a pack catch, as `conform power` measured it."""
    told = pack.power
    if not told or not told.get("named"):
        return "What the checks catch: not measured."
    named = told["named"]
    parts = [f"{named['faults_caught']} of {many(named['faults_named'], 'fault')} that the checks name"]
    parts += [
        f"{found['noticed']} of {many(found['tried'], 'change')} made without knowing the checks (twin {twin})"
        for twin, found in told["mutations"].items()
    ]
    parts.append(f"{many(named['false_alarms'], 'false alarm')} on the clean twin")
    whys: Counter[str] = Counter()
    for found in told["mutations"].values():
        for each in found.get("classes", ()):
            whys[each["why"]] += each["survived"]
    parts += [f"{number} not noticed, being {WHY[why]}" for why, number in whys.items() if number and why in WHY]
    new = sum(each["survived"] for found in told["mutations"].values() for each in found.get("without_class", ()))
    parts += [f"{new} not noticed, and not yet looked at"] if new else []
    parts += [] if told.get("current") else ["measured on another revision of the pack or the checks"]
    return f"What the checks catch: {'; '.join(parts)}."


def _ordered(s: Summary) -> list[ResultView]:
    """Failed musts first, then by how bad the outcome is, in the order of the packs."""
    order = {status: place for place, status in enumerate((*ORDER, Status.NOT_APPLICABLE, Status.RECORDED))}
    return sorted(s.results, key=lambda r: (not (r.status is Status.FAIL and r.decides), order[r.status]))


def _moment(given: object) -> str:
    try:
        return clock_words(datetime.fromisoformat(given)) if isinstance(given, str) else ""
    except ValueError:
        return str(given)


def _age(issued: str, day: str) -> str:
    try:
        return f", {many((date.fromisoformat(day) - date.fromisoformat(issued)).days, 'day')} before the run"
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _style() -> tuple[Style, Markup]:
    folder = files(__package__) / "templates"
    sheet, script = (
        (folder / name).read_text(encoding="utf-8").replace("\r\n", "\n") for name in ("report.css", "report.js")
    )
    text = str(style_sheet().text) + sheet
    style, ran = (b64encode(sha256(part.encode()).digest()).decode() for part in (text, script))
    allowed = f"style-src 'sha256-{style}'; script-src 'sha256-{ran}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    return Style(Markup(text), policy), Markup(script)  # noqa: S704 - the SDK's own files, no outside text


@lru_cache(maxsize=1)
def _template() -> Environment:
    from jinja2 import Undefined

    environment = templates(
        "mpftconnect.conformance.reporting",
        tones={str(status): _TONES.get(status, "") for status in Status},
        verdict_tones=_VERDICT_TONES,
        status_words={str(status): words for status, words in STATUS_WORDS.items()},
        level_words=LEVEL_WORDS,
        cause_words=CAUSE_WORDS,
        finding_words=FINDING_WORDS,
        power_words=power_words,
    )
    environment.filters |= {"sentence": sentence, "stopped": stopped}
    environment.undefined = Undefined  # reports leave out what is empty
    return environment
