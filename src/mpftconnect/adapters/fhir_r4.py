"""Searches any FHIR R4 server: every page, nothing twice, nobody else's data.

Source: HL7 FHIR R4 (4.0.1), RESTful API, sections 3.1.0.11 (paging) and 3.1.1 (search); Bundle, `Bundle.total`,
`Bundle.entry.search.mode`; References between resources, 2.3.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.adapters.ask import Params
from mpftconnect.adapters.contract import Reading, Refusal, Step
from mpftconnect.adapters.fhir_subject import subject_fault
from mpftconnect.adapters.wire import Wire
from mpftconnect.errors import AdapterError, AnswerRejected, NotADate, NotPermitted, SystemFailed
from mpftconnect.fhir import read_resource
from mpftconnect.model import Item, Notice, Source

__all__ = ["capability_steps", "items", "search"]

# FHIR R4, Resource.id (datatype `id`).
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
# What an OperationOutcome says is repeated only where it can be no value: issue types are lower case with hyphens
# (value set issue-type), and error codes of NHS APIs capitals with underscores.
_ISSUE_CODE = re.compile(r"[a-z]+(-[a-z]+){0,3}|[A-Z]+(_[A-Z]+){0,8}", re.ASCII)


def search(
    reading: Reading,
    resource_type: str,
    params: Params | None = None,
    *,
    page_limit: int = 200,
    first: Callable[[], Any] | None = None,
) -> Iterator[dict[str, Any] | Notice]:
    """The resources that a search finds, over all its pages, each once, without those that were only included.

    Args:
        reading: Its wire is asked.
        resource_type: `Condition`, ...
        params: Search parameters.
        page_limit: More pages than these are taken for a fault of the server.
        first: Gives the first page, for a server that is asked in a way of its own, such as by POST.
    Yields:
        Resources as sent (decimals exact); a `Notice` for each warning that the server attached.
    Raises:
        AnswerRejected: A page is no searchset, repeats or leads to another origin; or, after the last page, what
            came is not what `Bundle.total` states. What was yielded before stands.
        SystemFailed: The server declares that the search failed.
        AdapterError: As `Wire.get_json` does.
    """
    unreadable: Refusal | None = None
    for found in _Search(reading, resource_type, page_limit).run(params, first):
        if isinstance(found, Refusal):
            unreadable = unreadable or found
        else:
            yield found.resource if isinstance(found, _Match) else found
    if unreadable is not None:
        raise AnswerRejected(unreadable.rule, system=reading.system, place=unreadable.place)


def items(
    reading: Reading,
    resource_type: str,
    params: Params | None = None,
    *,
    of: type[Item] | None = None,
    page_limit: int = 200,
    first: Callable[[], Any] | None = None,
) -> Iterator[Item | Notice | Refusal]:
    """What a search finds, as items of the model: the usual body of a `read_...` method.

    An entry about anybody but `reading.patient`, or about nobody, and one that cannot be read, is refused and not
    raised: the others are still good.

    Args:
        reading: After `find_patient`, so that `reading.patient` says how this system names the person.
        resource_type: `Condition`, ...
        params: Search parameters; the caller says by which of them the patient is meant.
        of: The type that the section holds; an item of another type is refused.
        first: As for `search`.
    Raises:
        AdapterError: As `search` does.
    """
    for found in _Search(reading, resource_type, page_limit).run(params, first):
        yield _item(reading, found, of) if isinstance(found, _Match) else found


@dataclass(frozen=True, slots=True)
class _Match:
    place: str
    resource: dict[str, Any]
    full_url: str | None
    # All that came with the search so far, by `Type/id` and by full URL.
    known: Mapping[str, dict[str, Any]]


def _item(reading: Reading, match: _Match, of: type[Item] | None) -> Item | Refusal:
    resource, place = match.resource, match.place
    fault = subject_fault(resource, reading, full_url=match.full_url, resolve=match.known.get)
    if fault is not None:
        return Refusal(place, fault.rule, wrong_person=fault.wrong_person, content=resource)
    source = _source(reading, resource)
    if source is None:
        return Refusal(f"{place}.id", "is not a FHIR id", content=resource)
    try:
        item = read_resource(resource, source=source, zone=reading.zone, contained_or_bundle=match.known.get)
    except AdapterError as error:
        return Refusal(f"{place}.{error.place}" if error.place else place, error.rule, content=resource)
    if of is not None and not isinstance(item, of):
        return Refusal(place, f"is a {type(item).__name__}, not a {of.__name__}", content=resource)
    return item


def _source(reading: Reading, resource: Mapping[str, Any]) -> Source | None:
    id_, meta = resource.get("id"), resource.get("meta")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return None
    meta = meta if isinstance(meta, Mapping) else {}
    version, updated = meta.get("versionId"), meta.get("lastUpdated")
    try:
        when = reading.when(updated) if isinstance(updated, str) else None
    except NotADate:
        when = None  # provenance only: the item itself is still good
    return reading.source(
        f"{resource['resourceType']}/{id_}", version=version if isinstance(version, str) else None, updated=when
    )


@dataclass
class _Search:
    """One search, over its pages."""

    reading: Reading
    resource_type: str
    page_limit: int
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    told: set[Notice] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    failure: AdapterError | None = None

    def run(self, params: Params | None, first: Callable[[], Any] | None = None) -> Iterator[_Match | Notice | Refusal]:
        where, asked = self.resource_type, params
        for number in range(self.page_limit):
            if number == 0 and first is not None:
                page = first()
            else:
                page = self.reading.wire.get_json(where, asked, label=f"{self.resource_type}.search")
            place = f"page[{number}]."
            link = self._check(page, place if number else "")
            yield from self._entries(page, number, place if number else "")
            if link is None:
                break
            if link in self.links:
                raise self._rejected("the next link leads to a page already seen", f"{place}link")
            self.links.add(link)
            where, asked = link, None
        else:
            raise self._rejected(f"more than {self.page_limit} pages", "link")
        if self.failure is not None:
            raise self.failure
        # The numbers themselves stay unsaid: they would count what a silent policy takes out.
        if self.totals and self.totals != {len(self.seen)}:
            raise self._rejected("what came is not as many as Bundle.total states", "total")

    def _rejected(self, rule: str, place: str) -> AnswerRejected:
        return AnswerRejected(rule, system=self.reading.system, place=place)

    def _check(self, page: Any, place: str) -> str | None:
        """The next link of a page that is a searchset."""
        if not isinstance(page, dict):
            raise self._rejected("is not a JSON object", place.rstrip(".") or "Bundle")
        if page.get("resourceType") == "OperationOutcome":
            issues = ", ".join(_issue_words(issue) for issue in _mappings(page.get("issue"))[:5])
            raise SystemFailed(f"an OperationOutcome in place of results ({issues})", system=self.reading.system)
        if page.get("resourceType") != "Bundle" or page.get("type") != "searchset":
            raise self._rejected("is not a searchset Bundle", f"{place}type")
        total = page.get("total")
        if total is not None:
            if isinstance(total, bool) or not isinstance(total, int) or total < 0:
                raise self._rejected("is not a number of results", f"{place}total")
            self.totals.add(total)
        for name in ("entry", "link"):
            if not isinstance(page.get(name, []), list):
                raise self._rejected("is not a list", f"{place}{name}")
        following = {each.get("url") for each in _mappings(page.get("link")) if each.get("relation") == "next"}
        if len(following) > 1 or not all(isinstance(url, str) and url for url in following):
            raise self._rejected("does not say which page is next", f"{place}link")
        return following.pop() if following else None

    def _entries(self, page: dict[str, Any], number: int, place: str) -> Iterator[_Match | Notice | Refusal]:
        matches: list[_Match | Refusal] = []
        repeated = 0
        for index, entry in enumerate(page.get("entry", [])):
            where = f"{place}entry[{index}].resource"
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                matches.append(Refusal(where, "is not a resource", content=entry))
                self.seen.add(where)
                continue
            full_url = entry.get("fullUrl") if isinstance(entry.get("fullUrl"), str) else None
            mode = entry["search"].get("mode") if isinstance(entry.get("search"), dict) else None
            if resource["resourceType"] == "OperationOutcome":
                yield from self._outcome(resource)
                continue
            self._know(resource, full_url)
            if mode == "include" or (mode != "match" and resource["resourceType"] != self.resource_type):
                continue
            if resource["resourceType"] != self.resource_type:
                matches.append(Refusal(where, f"is not a {self.resource_type}", content=resource))
                self.seen.add(where)
                continue
            key = _key(resource, full_url) or where
            if key in self.seen:
                repeated += 1
                continue
            self.seen.add(key)
            matches.append(_Match(where, resource, full_url, self.known))
        if number and repeated and not matches:
            raise self._rejected("the page repeats what came before", f"{place}entry")
        yield from matches

    def _know(self, resource: dict[str, Any], full_url: str | None) -> None:
        for name in (full_url, _key(resource, None)):
            if name is not None:
                self.known.setdefault(name, resource)

    def _outcome(self, outcome: dict[str, Any]) -> Iterator[Notice]:
        for issue in _mappings(outcome.get("issue")):
            words = _issue_words(issue)
            if issue.get("severity") in ("error", "fatal"):
                # Raised after the last page: what did come is still good.
                rule = f"the system states that its results are not whole ({words})"
                self.failure = self.failure or SystemFailed(rule, system=self.reading.system)
                continue
            notice = Notice("source-warning", f"The system attached a message to its answer: {words}.")
            if notice not in self.told:
                self.told.add(notice)
                yield notice


def _key(resource: Mapping[str, Any], full_url: str | None) -> str | None:
    id_ = resource.get("id")
    return f"{resource['resourceType']}/{id_}" if isinstance(id_, str) and id_ else full_url


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _issue_words(issue: Mapping[str, Any]) -> str:
    """An issue's codes, as far as they can be no value: its type, and the codes of its details."""
    details = issue.get("details")
    codings = _mappings(details.get("coding")) if isinstance(details, Mapping) else []
    codes = [issue.get("code"), *(coding.get("code") for coding in codings)]
    shown = [code for code in codes if isinstance(code, str) and len(code) <= 60 and _ISSUE_CODE.fullmatch(code)]
    return ", ".join(dict.fromkeys(shown)) or "no known code"


def capability_steps(wire: Wire) -> Iterator[Step]:
    """For `check_connection`: asks for the capability statement, which names nobody, and says which step failed.

    A server may give its statement to anybody (FHIR R4 4.0.1, RESTful API, `capabilities`), so that it came proves
    neither token nor permission, and neither is claimed; where one is refused, that is the step that is named.

    Args:
        wire: With the credentials that reads will use.
    """
    try:
        statement = wire.get_json("metadata", label="metadata")
    except NotPermitted as error:
        if error.rule == "status 403":
            yield Step("permission", False, f"{error.rule}: known there and not allowed; ask the supplier for access")
        else:
            yield Step("token", False, f"{error.rule}: check the configured secrets and where a token comes from")
    except AdapterError as error:
        yield Step("capability statement", False, f"{error.rule}: check the endpoint")
    else:
        version = statement.get("fhirVersion") if isinstance(statement, Mapping) else None
        advice = "" if version == "4.0.1" else "the endpoint does not say that it speaks FHIR 4.0.1"
        yield Step("capability statement", not advice, advice)
