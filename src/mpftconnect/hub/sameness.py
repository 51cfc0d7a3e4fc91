"""When two concepts are the same, without any licensed terminology.

Two concepts are the same if they share a code of the same system, or if their texts are the same after `same_text`.
That relation is no chain: where A is like B by its code and B like C by its text, A and C may have nothing in common.
So a set of concepts counts as one only if *all* of it shares something; otherwise only what is the same word for word
and code for code goes together (`alike`). Nothing here is fuzzy: no spelling, no stemming, no synonyms, no distance.

A terminology plugin may add that two concepts mean the same (`Opinions`). It can only add: what it says joins nothing
that differs in any other field, parts nothing that is the same without it, and an answer that is not the same both ways
round, or that hangs together with the others in no way, counts for nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from typing import TypeVar

from mpftconnect.governance.restriction import HIDDEN_TEXT
from mpftconnect.model import Concept, SamenessSpec, SectionName

__all__ = ["EXACT_CODED", "Opinions", "Token", "alike", "concept_key", "figures", "is_stated", "linked", "literal"]
__all__ += ["same_text", "tokens"]

T = TypeVar("T")

Token = tuple[str, ...]

# Sections where an opinion counts only between two concepts that are both coded: a guess at a name may harm.
EXACT_CODED = frozenset({SectionName.ALLERGIES, SectionName.MEDICATIONS})

# Codes of these systems say that something is not known: two of them are not the same unknown thing.
_UNKNOWN = frozenset(
    {
        "http://hl7.org/fhir/v3/NullFlavor",
        "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
        "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    }
)

# At the end of a word these mean nothing. Others do: "HIV -", "?asthma", "<5", "1/2".
_AT_THE_END = ".,;:"
_QUOTES = "\"'\u2018\u2019\u201c\u201d"

_DIGIT = re.compile("[0-9]")

# More concepts than these are not put to a plugin two by two: the cost would grow with their square.
MOST_ASKED = 40


def same_text(text: str) -> str:
    """A text as it is compared: letter case, white space, quotation marks and marks at the end of a word do not count.

    A word with a digit, and the word after a number, stay exactly as they are: numbers, units and strengths are never
    altered, since "5 Mg" is not "5 mg" and "0.5" is not "05".

    >>> same_text("  Sertraline 50mg  Tablets. "), same_text("Aspirin 75 MG daily")
    ('sertraline 50mg tablets', 'aspirin 75 MG daily')
    """
    return " ".join(word for word, _ in _words(text))


def figures(text: str) -> str:
    """The numbers of a text with their units, as written.

    >>> figures("Sertraline 50mg tablets, take 2 daily")
    '50mg 2 daily'
    """
    if text.isascii() and not _DIGIT.search(text):
        return ""
    return " ".join(word for word, fixed in _words(text) if fixed)


def _words(text: str) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    after_number = False
    for word in unicodedata.normalize("NFC", text).split():
        has_digit = not word.isalpha() and any(letter.isnumeric() for letter in word)
        if has_digit or after_number:
            found.append((word, True))
        else:
            plain = word.casefold().lstrip(_QUOTES).rstrip(_AT_THE_END + _QUOTES)
            found.append((plain or word, False))
        # "50mg" has its unit with it; after "50" or "1,000" comes the unit.
        after_number = has_digit and not any(letter.isalpha() for letter in word)
    return found


def _text(concept: Concept) -> str | None:
    """What a reader reads; of a concept with several codes and no text there is no one text."""
    if concept.text:
        return concept.text
    known = [coding for coding in concept.coding if coding.system not in _UNKNOWN]
    return known[0].display or None if len(known) == 1 else None


def is_stated(concept: Concept) -> bool:
    """Whether it says anything: what is not stated, or hidden from the reader, is the same as nothing else."""
    said = _text(concept) or any(c.code and c.system not in _UNKNOWN for c in concept.coding)
    return concept.text != HIDDEN_TEXT and bool(said)


def _codes(concept: Concept) -> frozenset[Token]:
    return frozenset((c.system, c.code) for c in concept.coding if c.system and c.code and c.system not in _UNKNOWN)


def tokens(concept: Concept) -> frozenset[Token]:
    """What it may share with another: `("code", system, code)` for each of its codes, `("text", text)`."""
    text = _text(concept)
    coded = frozenset(("code", *code) for code in _codes(concept))
    return coded | {("text", same_text(text))} if text and text.strip() else coded


def concept_key(concept: Concept) -> Token:
    """Equal for two concepts if they have the same codes, or have none and the same text.

    Displays of codes and versions of code systems do not count; the figures of a coded concept's text do.
    """
    text = _text(concept) or ""
    codes = _codes(concept)
    if not codes:
        # Without a system a code means something only together with its words.
        bare = (c.code for c in concept.coding if c.code)
        return ("text", same_text(text), *sorted(bare))
    return ("code", figures(text), *(part for code in sorted(codes) for part in code))


def literal(concept: Concept) -> Token:
    """Equal for two concepts only if they are the same word for word and code for code."""
    return (*concept_key(concept), same_text(_text(concept) or ""))


def linked(keyed: Iterable[tuple[T, Iterable[Hashable]]]) -> list[list[T]]:
    """Values that share a key, directly or by way of others, together; in the order in which they came."""
    parent: list[int] = []
    values: list[T] = []
    first: dict[Hashable, int] = {}

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for at, (value, keys) in enumerate(keyed):
        values.append(value)
        parent.append(at)
        for key in keys:
            one, other = root(first.setdefault(key, at)), root(at)
            # The earlier one leads, so that groups and their members come in the order of the values.
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[T]] = defaultdict(list)
    for at, value in enumerate(values):
        groups[root(at)].append(value)
    return list(groups.values())


def alike(concepts: Sequence[Concept]) -> str | None:
    """By what all of these are the same: `equal` (nothing differs), `code` or `text`; None if they are not the same.

    >>> from mpftconnect.model import concept
    >>> alike([concept("Asthma", "195967001"), concept("ASTHMA")])
    'text'
    >>> alike([concept("Asthma", "195967001"), concept("Asthma", "233678006")]) is None
    True
    """
    if all(one == concepts[0] for one in concepts):
        return "equal"
    shared = frozenset.intersection(*(tokens(one) for one in concepts))
    if not shared or not _consistent(concepts):
        return None
    return "code" if any(token[0] == "code" for token in shared) else "text"


def _consistent(concepts: Sequence[Concept]) -> bool:
    """Whether nothing speaks against their being the same: other codes of one system, or other figures."""
    by_system: dict[str, set[str]] = {}
    for one in concepts:
        own: dict[str, set[str]] = defaultdict(set)
        for system, code in _codes(one):
            own[system].add(code)
        for system, codes in own.items():
            by_system[system] = by_system.get(system, codes) & codes
    said = {figures(text) for one in concepts if (text := _text(one))}
    return all(by_system.values()) and len(said) <= 1


class Opinions:
    """What the terminology plugins that are switched on say of pairs of concepts.

    Args:
        specs: The plugins, in the order of the configuration.
    Attributes:
        failed: Names of those that raised, or answered neither True, False nor None, at least once.
    """

    def __init__(self, specs: Sequence[SamenessSpec] = ()) -> None:
        self._specs = tuple(specs)
        self.failed: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._specs)

    def same(self, one: Concept, other: Concept, section: SectionName) -> tuple[str, ...]:
        """Who says, both ways round, that the two mean the same; nobody, if anybody says that they do not."""
        if section in EXACT_CODED and not (_codes(one) and _codes(other)):
            return ()
        said = {spec.name: self._both_ways(spec, one, other, section) for spec in self._specs}
        return () if False in said.values() else tuple(name for name, same in said.items() if same)

    def either(self, one: Concept, other: Concept, section: SectionName) -> tuple[str, ...]:
        """Who says at least one way round that they mean the same: enough to ask a person to look."""
        if section in EXACT_CODED and not (_codes(one) and _codes(other)):
            return ()
        return tuple(
            spec.name
            for spec in self._specs
            if True in (self._ask(spec, one, other, section), self._ask(spec, other, one, section))
        )

    def _both_ways(self, spec: SamenessSpec, one: Concept, other: Concept, section: SectionName) -> bool | None:
        there, back = self._ask(spec, one, other, section), self._ask(spec, other, one, section)
        return False if False in (there, back) else True if there and back else None

    def _ask(self, spec: SamenessSpec, one: Concept, other: Concept, section: SectionName) -> bool | None:
        said: object
        try:
            said = spec.same(one, other, section)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code: what it cannot say is no opinion
            said = error
        if said is None or isinstance(said, bool):
            return said
        self.failed.add(spec.name)
        return None

    def groups(
        self, concepts: Sequence[Concept], section: SectionName, *, strict: bool
    ) -> list[tuple[list[int], tuple[str, ...]]]:
        """The places of concepts that mean the same, with who says so; each place once.

        Args:
            strict: Whether every two of a group must be said to be the same, both ways round, with the same figures:
                for joining. Otherwise one answer is enough, and a chain of answers too: for asking a person to look.
        """
        alone: list[tuple[list[int], tuple[str, ...]]] = [([at], ()) for at in range(len(concepts))]
        if not self._specs or not 1 < len(concepts) <= MOST_ASKED:
            return alone
        judge: Callable[[Concept, Concept, SectionName], tuple[str, ...]] = self.same if strict else self.either
        said = {
            (i, j): names
            for i, j in combinations(range(len(concepts)), 2)
            if (names := judge(concepts[i], concepts[j], section))
        }
        keyed = [(at, [pair for pair in said if at in pair]) for at in range(len(concepts))]
        found: list[tuple[list[int], tuple[str, ...]]] = []
        for group in linked(keyed):
            pairs = list(combinations(group, 2))
            agreed = all(pair in said for pair in pairs) and _same_figures([concepts[at] for at in group])
            if strict and not agreed:
                found += [alone[at] for at in group]
            else:
                found.append((group, tuple(sorted({name for pair in pairs for name in said.get(pair, ())}))))
        return found


def _same_figures(concepts: Sequence[Concept]) -> bool:
    return len({figures(text) for one in concepts if (text := _text(one))}) <= 1
