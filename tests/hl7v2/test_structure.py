"""The order of segments: as the standard's groups have it, and linear whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.hl7v2.structure import Automaton
from mpftconnect.hl7v2.tables import VERSIONS, Child, Group, Tables, tables_of

NAMES = ["AAA", "BBB", "CCC", "DDD"]


def tables(groups: dict[str, Group]) -> Tables:
    return Tables("2.4", {}, groups, {}, {}, {})


def group(depth: int) -> st.SearchStrategy[tuple[bool, list[tuple[object, int, int]]]]:
    child: st.SearchStrategy[object] = st.sampled_from(NAMES)
    if depth:
        child = st.one_of(child, group(depth - 1))
    many = st.tuples(child, st.integers(0, 1), st.sampled_from([1, -1]))
    return st.tuples(st.booleans(), st.lists(many, min_size=1, max_size=3))


def built(shape: tuple[bool, list[tuple[object, int, int]]], groups: dict[str, Group]) -> Group:
    children = []
    for child, least, most in shape[1]:
        if isinstance(child, str):
            children.append(Child(child, False, least, most))
        else:
            name = f"G{len(groups)}"
            groups[name] = Group(False, ())
            groups[name] = built(child, groups)  # type: ignore[arg-type]
            children.append(Child(name, True, least, most))
    return Group(shape[0], tuple(children))


def ends(shape: object, text: list[str], start: int) -> set[int]:
    """An oracle that tries everything: where a shape can end that begins at a place."""
    if isinstance(shape, str):
        return {start + 1} if start < len(text) and text[start] == shape else set()
    choice, children = shape  # type: ignore[misc]
    found: set[int] = set()
    reached = {start}
    for child, least, most in children:
        once: set[int] = set()
        fresh = {start} if choice else set(reached)
        while fresh:
            after = {end for origin in fresh for end in ends(child, text, origin)} - once
            once |= after
            fresh = after if most == -1 else set()
        if least == 0:
            once |= {start} if choice else reached
        if choice:
            found |= once
        else:
            reached = once
    return found if choice else reached


@given(group(2), st.lists(st.sampled_from(NAMES), max_size=7))
def test_what_the_automaton_takes_is_what_the_groups_allow(
    shape: tuple[bool, list[tuple[object, int, int]]], text: list[str]
) -> None:
    groups: dict[str, Group] = {}
    automaton = Automaton(built(shape, groups), tables(groups))
    assert (automaton.faults(text, set()) == []) == (len(text) in ends(shape, text, 0))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_structure_of_every_version_takes_its_shortest_message(version: str) -> None:
    known = tables_of(version)
    for name, structure in known.structures.items():
        automaton = Automaton(structure, known)
        shortest = list(automaton._ending(frozenset((0,))))
        assert automaton.faults(shortest, set()) == [], name
        for place, segment in enumerate(shortest[1:], start=1):
            faults = automaton.faults([*shortest[:place], *shortest[place + 1 :]], set())
            assert faults == [] or segment in {fault.name for fault in faults} or faults[0].index <= place, name


def test_a_hostile_message_costs_steps_not_tries() -> None:
    """Every segment is stepped once; what a fault costs is remembered, so a thousand of one kind cost as one."""
    known = tables_of("2.5.1")
    automaton = Automaton(known.structures["ORU_R01"], known)
    calls = 0
    original = automaton._reached

    def counted(state: object, name: str) -> set[int]:
        nonlocal calls
        calls += 1
        return original(state, name)  # type: ignore[arg-type]

    automaton._reached = counted  # type: ignore[assignment,method-assign]
    names = ["MSH", *(["PID", "OBX", "PID", "NTE", "MSH", "OBR"] * 2000)]
    automaton.faults(names, set())
    once = calls
    automaton.faults(names * 2, set())
    assert once < 5_000
    assert calls - once < 200
