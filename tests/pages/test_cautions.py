"""That viewing is not acknowledging stands on the page beside each result, wherever one is shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from mpftconnect.hub.record import Record
from mpftconnect.model import NOT_ACKNOWLEDGED, Item, SectionName
from mpftconnect.pages import record_page

PLACES = ("card", "moment")


@dataclass
class Blocks(HTMLParser):
    """What each card and each moment of the timeline says, as one text."""

    text: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str | None] = []
        self._said: list[str] = []
        self.feed(self.text)
        self.close()

    __hash__ = object.__hash__

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("article", "li", "ol"):
            of_moments = bool(self._open) and self._open[-1] == "moments"
            kind = "card" if "item" in (dict(attrs).get("class") or "").split() else "moment" if of_moments else None
            if kind:
                self._said = []
            self._open.append("moments" if tag == "ol" and ("class", "moments") in attrs else kind)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("article", "li", "ol"):
            kind = self._open.pop()
            if kind in PLACES:
                self.found.append((kind, " ".join("".join(self._said).split())))

    def handle_data(self, data: str) -> None:
        self._said.append(data)


def results_of(record: Record) -> list[Item]:
    return [
        item
        for item in record.items()
        if type(item).__name__ == "DiagnosticReport"
        or item.source.id.startswith(("Scanned sheet", "Ultrasound"))
        or (type(item).__name__ == "Observation" and item.source.id not in ("Pulse", "Smoking"))
    ]


def without_mark(page: str, record: Record) -> list[str]:
    """Where a result is shown without the sentence, or anything else with it, or a result not at all."""
    blocks = Blocks(page).found
    wrong, results, left = [], results_of(record), list(blocks)
    for item in results:
        of_item = [(kind, said) for kind, said in blocks if f" {item.words()} " in f" {said} "]
        left = [block for block in left if block not in of_item]
        counts = Counter(kind for kind, _ in of_item)
        # What is in dispute is shown once more, side by side.
        disputed = any(item.key in conflict.items for conflict in record.conflicts)
        if counts != {"card": 1 + disputed, "moment": 1}:
            wrong.append(f"{item.key} is shown {dict(counts)}")
        wrong += [f"{item.key} ({kind})" for kind, said in of_item if said.count(NOT_ACKNOWLEDGED) != 1]
    return wrong + [f"no result: {said[:40]}" for _, said in left if NOT_ACKNOWLEDGED in said]


@pytest.fixture(scope="module")
def page(record_of_results: Record) -> str:
    return record_page(record_of_results)


def test_each_result_says_it_once_wherever_it_is_shown(page: str, record_of_results: Record) -> None:
    assert len(results_of(record_of_results)) == 32
    assert without_mark(page, record_of_results) == []


def test_one_that_does_not_is_found(page: str, record_of_results: Record) -> None:
    rest = NOT_ACKNOWLEDGED.partition(":")[2]
    mark = f'<span class="caution">Viewing is not acknowledging<span class="unseen">:{rest}</span></span>'
    marks = page.count(mark)
    assert marks == 2 * 32 + 2
    for nth in range(marks):
        before = page.split(mark, nth + 1)
        broken = mark.join(before[:-1]) + before[-1]
        assert len(without_mark(broken, record_of_results)) == 1, nth


def test_the_eye_reads_the_whole_sentence_once_a_section(page: str) -> None:
    whole = f'<p class="status unsure">{NOT_ACKNOWLEDGED}</p>'
    assert page.count(whole) == 3
    for name in (SectionName.RESULTS, SectionName.REPORTS, SectionName.DOCUMENTS):
        assert whole in page[page.index(f'<h2 id="{name}"') :].partition("</section>")[0], name


def test_withdrawn_and_corrected_results_say_both(page: str) -> None:
    cards = [said for kind, said in Blocks(page).found if kind == "card" and NOT_ACKNOWLEDGED in said]
    for words in ("Withdrawn", "Corrected", "Reason: Sample haemolysed", "Reason: Reported under another patient"):
        assert [said for said in cards if words in said], words
