"""The record page: everything is shown, nothing reads as "none", and nothing that a source sent can run."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.errors import GapReason
from mpftconnect.hub.record import (
    NEVER_SHOWN,
    NOT_FOR,
    Conflict,
    Gap,
    Joined,
    Record,
    SystemAnswer,
    Unmatched,
    Withheld,
)
from mpftconnect.model import (
    NOT_ACKNOWLEDGED,
    SECTION_TYPES,
    Actor,
    AllergyIntolerance,
    CarePlan,
    Condition,
    ContingencyPlan,
    Identifier,
    Item,
    Line,
    Model,
    Notice,
    Observation,
    PartialDate,
    Patient,
    Quantity,
    Section,
    SectionName,
    SectionStatus,
    Source,
    When,
    concept,
    parts,
)
from mpftconnect.pages import record_page

Make = Callable[..., Record]
_INLINE = {"span", "bdi", "strong", "b", "a"}
_VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Page(HTMLParser):
    """A page as a browser would take it apart."""

    text: str
    tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    shown: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, str]] = []
        self.feed(self.text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    __hash__ = object.__hash__

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        self._break(tag)
        if tag not in _VOID:
            found = dict(attrs)
            self._open.append((tag, found.get("aria-labelledby") or found.get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)
        opened = self._open.pop()
        assert opened[0] == tag, f"<{opened[0]}> closed by </{tag}>"

    def _break(self, tag: str) -> None:
        if tag not in _INLINE:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        self.shown.append((tuple(name for tag_name in self._open for name in tag_name if name), data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def _said(self, inside: str | None = None, outside: str | None = None) -> str:
        chosen = (
            data
            for where, data in self.shown
            if "style" not in where
            and (inside is None or inside in where)
            and (outside is None or outside not in where)
        )
        return " ".join("".join(chosen).split())

    @property
    def visible(self) -> str:
        return self._said()

    def unfolded(self, name: str) -> str:
        return self._said(inside=name, outside="details")

    def section(self, name: str) -> str:
        return self._said(inside=name)

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attrs in self.tags for key, value in attrs if key == name]


def squeezed(text: str) -> str:
    return " ".join(text.split())


Show = Callable[..., Page]


@pytest.fixture(scope="module")
def show(record_of: Make) -> Show:
    """Makes the page of a record of given sections."""
    return lambda sections=None, **fields: Page(record_page(record_of(sections, **fields)))


@pytest.fixture(scope="module")
def page(lifelike: Make) -> Page:
    return Page(record_page(lifelike(), demonstration=True))


def a_source(system: str = "rio", local_id: str = "1", **rest: Any) -> Source:
    return Source(system=system, id=local_id, fetched=datetime(2026, 1, 5, 12, 0, tzinfo=UTC), **rest)


def spoken(item: Model) -> Iterator[tuple[str, str]]:
    """Every string of an item with its path, dates as people read them; but for the content of documents, which is
    data, and what was left over, of which the page gives the count."""
    dates = set()
    for path, part in parts(item):
        if isinstance(part, When | PartialDate):
            dates.add(f"{path}.text")
            yield path, part.words()
        elif isinstance(part, str) and path not in dates and not re.search(r"data_base64$|^extra\[|mode$", path):
            yield path, part


def one(name: SectionName, *items: Item, status: SectionStatus = SectionStatus.ITEMS, **rest: Any) -> dict[Any, Any]:
    return {name: Section(name, items, status, **rest)}


# The file itself


def test_needs_nothing_else_and_its_policy_allows_its_own_style_sheet_alone(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(tags)
    assert not page.attributes("style") and not page.attributes("src") and not page.comments
    assert all(target.startswith("#") for target in page.attributes("href"))
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    policies = [dict(attrs)["content"] for tag, attrs in page.tags if dict(attrs).get("http-equiv")]
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]


def test_headings_and_landmarks_and_links_are_in_order(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(landmark) for landmark in ("main", "header", "footer", "nav")] == [1, 1, 1, 1]
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in page.attributes("href")} <= set(ids)
    assert set(page.attributes("aria-labelledby")) <= set(ids)
    first_link = next(attrs for tag, attrs in page.tags if tag == "a")
    assert dict(first_link)["href"] == "#content"
    assert dict(page.tags[0][1]) == {"lang": "en-GB"}


def test_table_headers_say_what_they_head(page: Page) -> None:
    scopes = [dict(attrs).get("scope") for tag, attrs in page.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_the_same_record_gives_the_same_page(lifelike: Make) -> None:
    assert record_page(lifelike()) == record_page(lifelike())


# Hostile text


def _every_filled(filled: Callable[..., Any], record_of: Make, text: Callable[[str], str], alternative: int) -> Record:
    sections = {
        name: Section(
            name,
            (filled(kind, alternative=alternative, text=text),),
            SectionStatus.PARTIAL,
            (text("asked"),),
            (text("missing"),),
            (Notice(text("code"), text("notice"), text("noticed by")),),
        )
        for name, kind in SECTION_TYPES.items()
    }

    def once(kind: type[Model]) -> tuple[Any, ...]:
        return (filled(kind, alternative=alternative, text=text),)

    return record_of(
        sections,
        patient=filled(Patient, alternative=alternative, text=text),
        gaps=once(Gap),
        conflicts=once(Conflict),
        unmatched=once(Unmatched),
        withheld=once(Withheld),
        notices=(Notice(text("note code"), text("note text"), text("note system")),),
        mismatches=(text("mismatch"),),
        systems=once(SystemAnswer),
        joined=once(Joined),
        correlation_id=text("correlation"),
    )


@pytest.mark.parametrize("alternative", range(4))
def test_markup_from_a_source_stays_text_in_every_field(
    filled: Callable[..., Any], record_of: Make, hostile: Any, alternative: int
) -> None:
    def planted(text: str) -> Page:
        record = _every_filled(filled, record_of, lambda path: f"{text} {path}", alternative)
        return Page(record_page(record, title=f"{text} title"))

    harmless = planted("plain")
    for text in hostile.texts:
        attacked = planted(text)
        # The same tags with the same attributes: nothing that was planted became part of the page's structure.
        assert attacked.tags == harmless.tags
        assert not attacked.comments
        visible = text.replace("\u202e", "[U+202E]").replace("\x00", "[U+0000]")
        assert squeezed(visible) in attacked.visible


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_text_changes_the_structure(record_of: Make, text: str) -> None:
    def page_with(words: str) -> Page:
        problem = Condition(source=a_source(words), code=concept(f"words {words}"), note=(f"note {words}",))
        return Page(record_page(record_of(one(SectionName.PROBLEMS, problem)), title=f"title {words}"))

    assert page_with(text).tags == page_with("plain").tags


def test_characters_that_hide_or_reorder_are_made_visible(show: Show) -> None:
    problem = Condition(source=a_source(), code=concept("give \u202e05\u202c mg\x07\u2066"))
    text = show(one(SectionName.PROBLEMS, problem)).text
    assert "give [U+202E]05[U+202C] mg[U+0007][U+2066]" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", text)


# Nothing is lost


@pytest.mark.parametrize("alternative", range(6))
def test_every_text_of_every_item_is_on_the_page(filled: Callable[..., Any], show: Show, alternative: int) -> None:
    items = {name: filled(kind, alternative=alternative) for name, kind in SECTION_TYPES.items()}
    page = show({name: Section(name, (item,), SectionStatus.ITEMS) for name, item in items.items()})
    shown = page.visible.casefold()
    told = [(f"{name} {path}", text) for name, item in items.items() for path, text in spoken(item)]
    assert len(told) > 1000
    assert [path for path, text in told if text.casefold() not in shown] == []


def test_every_text_of_the_patient_is_on_the_page(filled: Callable[..., Any], show: Show) -> None:
    for alternative in range(4):
        patient = filled(Patient, alternative=alternative)
        shown = show(patient=patient).visible.casefold()
        missing = [path for path, text in spoken(patient) if text.casefold() not in shown]
        assert [path for path in missing if path != "restriction"] == []


def test_everything_that_the_record_says_of_itself_is_on_the_page(filled: Callable[..., Any], record_of: Make) -> None:
    record = _every_filled(filled, record_of, lambda path: f"text of {path}", 0)
    shown = Page(record_page(record)).visible
    told = (*record.gaps, *record.unmatched, *record.withheld, *record.systems, *record.joined)
    for part in told:
        for path, text in parts(part):
            if isinstance(text, str) and path not in ("reason", "section", "kinds[0]", "rule", "outcome"):
                assert text in shown, path
    assert record.conflicts[0].text in shown and record.conflicts[0].systems[0] in shown
    assert record.mismatches[0] in shown and record.correlation_id in shown
    assert record.notices[0].text in shown and record.notices[0].system in shown


def test_left_over_fields_are_counted_by_system(show: Show, lifelike: Make) -> None:
    assert "gp: 1 field" in Page(record_page(lifelike())).section("systems")
    assert "no place here" not in show().section("systems")


# Empty never means none


_NONE = re.compile(r"\b(none|nil|no known|nothing known|no (?!(full )?answer|active plan)\w+|0 (shown|items))\b", re.I)
_HONEST = "That does not mean that there is no crisis plan."


@pytest.mark.parametrize("missing", [(), ("icr",)])
@pytest.mark.parametrize("status", SectionStatus)
def test_an_empty_section_never_reads_as_none(show: Show, status: SectionStatus, missing: tuple[str, ...]) -> None:
    sections: dict[SectionName, Section[Any]] = {n: Section(n, (), status, missing=missing) for n in SectionName}
    page = show(sections)
    for name, section in sections.items():
        assert section.words() in page.section(str(name))
    if status is SectionStatus.ASSERTED_NONE:
        return
    said = page.visible
    for sentence in (sections[SectionName.NOTES].words(), NEVER_SHOWN, NOT_FOR, _HONEST):
        said = said.replace(sentence, "")
    assert not _NONE.findall(said)


def test_the_sweep_for_none_finds_one() -> None:
    assert _NONE.search("Allergies: none") and _NONE.search("no allergies") and _NONE.search("0 shown")


def test_an_incomplete_section_says_so_beside_its_items_and_in_the_contents(page: Page) -> None:
    assert "No full answer from: icr" in page.section("allergies")
    assert "Allergies and intolerances 3 shown, not complete" in page.section("contents")
    assert "Medicines 2 shown" in page.section("contents")


def test_items_of_a_section_that_was_not_answered_in_full_are_not_called_all(show: Show) -> None:
    problem = Condition(source=a_source(), code=concept("Asthma"))
    page = show(one(SectionName.PROBLEMS, problem, missing=("gp",)))
    assert "Problems and diagnoses 1 shown, not complete" in page.section("contents")
    assert "No full answer from: gp" in page.section("problems")


def test_asserted_absence_shows_who_and_when(show: Show) -> None:
    item = AllergyIntolerance(
        source=a_source("gp"),
        code=concept("No known allergies", "716186003"),
        recorded=When("2025-02-03"),
        author=Actor(name="Dr Lee Hart"),
    )
    shown = show(one(SectionName.ALLERGIES, item, status=SectionStatus.ASSERTED_NONE)).section("allergies")
    assert "A clinician recorded that there are none" in shown
    assert "Dr Lee Hart" in shown and "3 February 2025" in shown and "gp, fetched" in shown


def test_a_record_of_gaps_alone_says_what_is_missing(show: Show) -> None:
    gone = {name: Section(name, (), SectionStatus.UNAVAILABLE, ("rio",), ("rio",)) for name in SectionName}
    shown = show(gone, gaps=(Gap(system="rio", reason=GapReason.UNREACHABLE, detail="connection refused"),))
    assert "rio could not be reached. (connection refused)" in shown.section("before-reading")
    assert shown.visible.count("Not available: no system that could hold this answered.") >= len(SectionName)
    assert "no crisis plan" in shown.section("crisis") and "does not mean" in shown.section("crisis")


# What comes first


def test_the_order_is_warnings_person_crisis_plan_conflicts_sections(page: Page) -> None:
    named = page.attributes("aria-labelledby")
    assert named[:6] == ["before-reading", "contents", "person", "crisis", "plan", "conflicts"]
    assert set(named[6:-3]) == {str(name) for name in SectionName} and len(named[6:-3]) == len(SectionName)
    assert named[-3:] == ["timeline", "withheld", "systems"]
    assert named[-2:] == ["withheld", "systems"]


def test_a_demonstration_says_so_and_a_test_system_too(lifelike: Make) -> None:
    said = "DEMONSTRATION: says nothing about any product."
    assert said in Page(record_page(lifelike(), demonstration=True)).section("before-reading")
    plain = Page(record_page(lifelike())).section("before-reading")
    assert said not in plain and "test systems, so this page is not for live care: pds, rio" in plain
    live = SystemAnswer(system="rio", supplier="s", product="p", outcome="answered", tried_against="nothing")
    assert "Test systems" not in Page(record_page(lifelike(systems=(live,)))).section("before-reading")


def test_doubts_about_the_person_stand_first(show: Show) -> None:
    doubtful = show(identity_confirmed=False, restriction="R", mismatches=("the birth date differs",))
    said = doubtful.section("before-reading")
    assert "Identity not confirmed" in said and "This is a restricted person" in said
    assert "the birth date differs" in said
    unknown = show(restriction=None).section("before-reading")
    assert "No system says whether this person is restricted" in unknown
    calm = show().section("before-reading")
    assert "Identity" not in calm and "restricted" not in calm.lower()


@pytest.mark.parametrize(
    ("deceased", "said"),
    [
        (True, "This person has died."),
        (When("2025-01-06"), "This person has died 6 January 2025."),
        (False, None),
        (None, None),
    ],
)
def test_a_death_stands_first(show: Show, deceased: Any, said: str | None) -> None:
    patient = Patient(source=a_source("pds"), deceased=deceased)
    first = show(patient=patient).section("before-reading")
    assert said in first if said else "died" not in first


def test_a_notified_death_of_a_person_not_called_dead_is_told(show: Show) -> None:
    patient = Patient(source=a_source("pds"), deceased=False, death_notification=concept("Informal notice"))
    assert "A death was notified (Informal notice)." in show(patient=patient).section("before-reading")


def test_every_page_says_what_it_is_not_for_and_what_it_never_shows(show: Show) -> None:
    assert NOT_FOR in show().section("before-reading") and NEVER_SHOWN in show().section("withheld")


def test_the_person_is_named_by_number_name_and_birth_date(page: Page) -> None:
    person = page.section("person")
    assert "999 000 0018 (present and verified)" in person and "OKAFOR, Grace Adaeze (Mrs)" in person
    assert "2 March 1950" in person and "interpreter required" in person and "Letters in large print" in person
    assert "pds, fetched 1 July 2026, 10:29 BST" in person
    assert "9990000018" not in page.section("content").replace("Patient/9990000018", "")


def test_a_very_restricted_person_may_have_nothing_to_show(show: Show) -> None:
    patient = Patient(
        source=a_source("pds"), identifiers=(Identifier.nhs("9990000018"),), birth_date=PartialDate("1950")
    )
    page = show(patient=patient, restriction="V")
    assert "Record of name not stated" in page.visible and "verification not stated" in page.visible
    assert "very restricted" in page.section("before-reading")


# Plans


def test_nothing_of_any_contingency_plan_is_dropped(filled: Callable[..., Any], show: Show) -> None:
    for status in ("active", "completed", None):
        plan = filled(CarePlan).model_copy(update={"status": status})
        page = show(one(SectionName.CARE_PLANS, plan))
        crisis = page.section("crisis")
        for path, text in parts(plan.contingency):
            if isinstance(text, str) and re.search(r"(description|heading|\.name|telecom\[0\]\.value)$", path):
                assert text in crisis, path
        assert ("does not call active" in crisis) is (status != "active")
        assert ("Status not stated" in crisis) is (status is None)


def test_each_line_of_the_plan_keeps_author_agreement_date_and_plan(page: Page) -> None:
    said = page.section("plan")
    assert (
        "Written by Sam Patel, community nurse, Midshire Community Trust (Y9) · 1 June 2026 · agreed with the person "
        "(Grace Okafor), 4 May 2026 · from Community mental health care plan (rio), fetched 1 July 2026, 10:29 BST"
    ) in said
    assert "agreement not stated · from Long-term conditions plan (gp)" in said
    assert "2 plans are active at once" in said
    assert "sleep through the night" not in said and "sleep through the night" in page.section("care_plans")


def test_plans_that_are_not_active_are_pointed_to(show: Show) -> None:
    draft = CarePlan(source=a_source(), title="Draft plan", status="draft", goals=())
    said = show(one(SectionName.CARE_PLANS, draft)).section("plan")
    assert "no active plan to show" in said and "further down" in said


def test_a_contingency_line_keeps_its_own_author_and_date(show: Show) -> None:
    line = Line(description="Ring first", author=Actor(name="A Carer"), recorded=When("2024-02-29"))
    plan = CarePlan(source=a_source(), status="active", contingency=(ContingencyPlan(what_to_do=(line,)),))
    said = show(one(SectionName.CARE_PLANS, plan)).section("crisis")
    assert "A Carer" in said and "29 February 2024" in said


# Items


def test_each_item_shows_its_source_clinical_date_and_when_it_was_fetched(page: Page) -> None:
    said = page.section("medications")
    assert "Clinical date 1 April 2026 Source gp, fetched 1 July 2026, 10:29 BST" in said
    assert "Also from acute, fetched 1 July 2026, 10:29 BST" in said
    assert "this time occurred twice" in page.section("notes")
    assert "from a report cut earlier, current at 1 July 2026, 03:30 BST" in page.section("alerts")
    assert "Clinical date not stated" in page.section("care_team")


def test_winter_times_are_in_gmt(show: Show) -> None:
    problem = Condition(source=a_source(), code=concept("Asthma"))
    assert "rio, fetched 5 January 2026, 12:00 GMT" in show(one(SectionName.PROBLEMS, problem)).visible


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawn_result_stays_visible_with_its_reason(show: Show, status: str) -> None:
    result = Observation(
        source=a_source(),
        code=concept("Potassium"),
        value=Quantity(value="9.10", unit="mmol/L"),
        status=status,
        note=("Wrong patient",),
    )
    said = show(one(SectionName.RESULTS, result)).section("results")
    assert "Potassium: 9.10 mmol/L" in said
    assert "Withdrawn by its source. Reason: Wrong patient." in said


def test_what_does_not_stand_is_called_so(page: Page) -> None:
    assert "Latex Refuted The source says that this was considered and is not so." in page.section("allergies")
    assert "Asthma Entered in error The source says that this was recorded by mistake." in page.section("problems")


def test_what_holds_now_is_read_before_what_does_not(page: Page) -> None:
    said = page.section("allergies")
    assert said.index("Penicillin") < said.index("No known allergies") < said.index("Latex")
    assert said.count("The systems disagree about this") == 2


def test_an_unknown_status_is_shown_as_it_came(show: Show) -> None:
    result = Observation(source=a_source(), code=concept("Potassium"), status="in-the-post")
    assert "in-the-post" in show(one(SectionName.RESULTS, result)).section("results")


def test_versions_that_disagree_stand_side_by_side(page: Page) -> None:
    said = page.section("conflicts")
    assert "Penicillin" in said and "No known allergies" in said and "Community mental health care plan" in said


def test_decimals_keep_their_digits(page: Page) -> None:
    assert "5.60 mmol/L" in page.section("results")


def test_a_thousand_items_fold_and_none_is_lost(show: Show) -> None:
    results = [
        Observation(
            source=a_source(local_id=str(n)),
            code=concept(f"Test {n:04}"),
            effective=When(f"{1000 + n}"),
            status="final",
        )
        for n in range(1000)
    ]
    page = show(one(SectionName.RESULTS, *results))
    everything = page.section("results")
    assert all(f"Test {n:04}" in everything for n in range(1000))
    assert "990 more under results and measurements: open to read all 1000" in page.visible
    unfolded = page.unfolded("results")
    assert [n for n in range(1000) if f"Test {n:04}" in unfolded] == list(range(990, 1000))


@pytest.mark.parametrize(
    "name", [SectionName.ALLERGIES, SectionName.ALERTS, SectionName.MEDICATIONS, SectionName.LEGAL_STATUS]
)
def test_what_can_harm_is_never_folded(filled: Callable[..., Any], show: Show, name: SectionName) -> None:
    kind = SECTION_TYPES[name]
    items = [filled(kind, path=f"number {n:02} of", text=lambda path: path) for n in range(30)]
    unfolded = show(one(name, *items)).unfolded(str(name))
    assert all(f"number {n:02} of" in unfolded for n in range(30))


def test_long_text_shows_its_beginning_and_holds_all(page: Page, lifelike: Make) -> None:
    note = next(n for n in lifelike().notes if len(n.text) > 600)
    said = page.section("notes")
    assert "Telephone call before the visit." in said and "Read all of it" in said and squeezed(note.text) in said


def test_the_systems_say_what_they_were_tried_against(page: Page) -> None:
    said = page.section("systems")
    assert "Access, RiO" in said and "Assumed interface" in said and "nothing; the interface is assumed" in said
    assert "Did not answer" in said and "no answer" in said and "set apart" in said
    assert "published examples" in said and "1 July 2026, 10:29 BST" in said


def test_what_the_person_needs_is_shown_from_every_system_that_knows_it(lifelike: Callable[..., Record]) -> None:
    page = record_page(lifelike())
    person = page[page.index('id="person"') : page.index('id="crisis"')]
    assert "Hears better on the left side" in person
    first = person[: person.index("<details")]
    assert "Signs with her hands close to her face" in first
    assert "Flick the light before you enter" in first
    assert first.count("from rio") == 2
    both = lifelike(held_as=(lifelike().patient.model_copy(update={"source": lifelike().held_as[0].source}),))
    assert record_page(both).count('Hears better on the left side</bdi> <span class="quiet">from pds, rio</span>') == 1
    assert "The person as rio holds them" in person
    without = record_page(lifelike(held_as=(), patient=lifelike().held_as[0].model_copy(update={"communication": ()})))
    assert "not stated by any system that answered" in without


def test_results_say_that_viewing_is_not_acknowledging(page: Page) -> None:
    for name in SectionName:
        told = NOT_ACKNOWLEDGED in page.section(str(name))
        assert told == (name in (SectionName.RESULTS, SectionName.REPORTS)), name
