"""What stands after a change: stated, removed and kept; and no order of arrival that brings back what was withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hl7v2 import (
    Mapped,
    MergePerson,
    Replace,
    Retract,
    Stated,
    Upsert,
    applied,
    map_message,
    may_stand_over,
    parse,
)
from mpftconnect.model import Item, Patient

Mapper = Callable[..., Mapped]
ItemChange = Upsert | Replace | Retract


def pid(**fields: str) -> str:
    given = {3: "77^^^RRE", 5: "DOE^Jane", **{int(name[1:]): value for name, value in fields.items()}}
    return "PID|" + "|".join(given.get(number, "") for number in range(1, 41))


def after(*results: Mapped) -> Patient:
    standing: Item | None = None
    for result in results:
        change = result.changes[0]
        assert isinstance(change, Upsert)
        standing = applied(standing, change)
    assert isinstance(standing, Patient)
    return standing


def test_absence_keeps_and_null_removes(mapped: Mapper) -> None:
    first = mapped("ADT^A28", pid(_7="19500301", _8="F", _13="01632 960000", _14="01632 960001", _11="1 High St"))
    kept = after(first, mapped("ADT^A08", pid()))
    assert kept.gender == "female" and kept.birth_date is not None and len(kept.telecom) == 2 and kept.addresses
    gone = after(first, mapped("ADT^A08", pid(_7='""', _8='""', _11='""')))
    assert (gone.gender, gone.birth_date, gone.addresses) == (None, None, ())
    assert len(gone.telecom) == 2


def test_a_number_at_home_does_not_remove_the_one_at_work(mapped: Mapper) -> None:
    first = mapped("ADT^A28", pid(_13="01632 960000", _14="01632 960001"))
    found = after(first, mapped("ADT^A08", pid(_13="01632 960002")))
    assert sorted(point.value or "" for point in found.telecom) == ["01632 960001", "01632 960002"]


def test_an_nhs_number_stays_until_it_is_replaced(mapped: Mapper) -> None:
    first = mapped("ADT^A28", pid(_3="77^^^RRE~9990000018^^^NHS^NH", _32="01"))
    found = after(first, mapped("ADT^A08", pid()))
    assert (found.nhs_number, found.verification_status) == ("9990000018", "01")
    found = after(first, mapped("ADT^A08", pid(_3="77^^^RRE~9990000026^^^NHS^NH")))
    assert (found.nhs_number, found.verification_status) == ("9990000026", None)


def test_a_field_of_extra_is_replaced_whole(mapped: Mapper) -> None:
    found = after(mapped("ADT^A28", pid(_17="A^B^C", _6="ROE")), mapped("ADT^A08", pid(_17="D")))
    kept = {extra.path: extra.value for extra in found.extra}
    assert kept["PID-17"] == "D" and "PID-17.2" not in kept and kept["PID-6"] == "ROE"


def test_a_mention_updates_nothing(mapped: Mapper) -> None:
    first = mapped("ADT^A28", pid(_8="F"))
    mention = mapped("ORU^R01", pid(_5="ROE^Jane", _8="M"), "OBR|1||F1|A", "OBX|1|ST|A||x")
    assert after(first, mention) == after(first)
    assert after(mention).gender == "male", "where nothing stands, a mention is what is known"


# --- order -----------------------------------------------------------------------------------------------------

PERSON = "PID|1||77^^^RRE||DOE^Jane"


def result(status: str, reported: str, sent: str) -> ItemChange:
    fields = {1: "1", 3: "F1^LAB", 4: "UE", 7: "202603010800", 22: reported, 25: "F"}
    obr = "OBR|" + "|".join(fields.get(number, "") for number in range(1, 26))
    obx = f"OBX|1|NM|K^Potassium^L||7.1|mmol/L|||||{status}"
    raw = "\r".join((f"MSH|^~\\&|LAB|RRE|||{sent}||ORU^R01|C|P|2.4", PERSON, obr, obx))
    return next(one for one in map_message(parse(raw)).changes if isinstance(one, Replace | Retract))


def played(changes: Sequence[ItemChange]) -> tuple[Item | None, bool]:
    """What stands after changes in their order of arrival, and whether it is withdrawn."""
    standing: Item | None = None
    stated: Stated | None = None
    withdrawn = False
    for change in changes:
        withdraws = isinstance(change, Retract)
        if stated is None or may_stand_over(change.stated, stated, withdraws=withdraws, standing_withdrawn=withdrawn):
            standing, stated, withdrawn = applied(standing, change), change.stated, withdraws
    return standing, withdrawn


EARLY, LATE = "202603011000", "202603011200"
OLD = st.builds(
    lambda status, reported, sent: result(status, reported, sent),
    st.sampled_from("PFC"),
    st.sampled_from([EARLY, "202603010900", ""]),
    st.sampled_from(["202603011001", "202603011130"]),
)
REPEAT = st.builds(lambda sent: result("F", EARLY, sent), st.sampled_from(["202603011300", "20260305", "202612011200"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(OLD, max_size=3), st.lists(REPEAT, max_size=3), st.sampled_from("WD"), st.data())
def test_no_order_brings_a_withdrawn_result_back(
    old: list[ItemChange], repeats: list[ItemChange], letter: str, data: st.DataObject
) -> None:
    gone = result(letter, LATE, "202603011201")
    arrivals = data.draw(st.permutations([*old, *repeats, gone]))
    standing, withdrawn = played(arrivals)
    assert withdrawn and standing is not None and standing.withdrawn is not None


def test_a_result_that_is_reported_anew_after_a_withdrawal_stands() -> None:
    gone, again = result("W", LATE, "202603011201"), result("C", "202603011500", "202603011501")
    assert played([gone, again])[1] is False and played([again, gone])[1] is False


# --- merges ----------------------------------------------------------------------------------------------------


def merge(one: int, other: int, at: str = "202603010900") -> MergePerson:
    raw = f"MSH|^~\\&|PAS|RRE|||20260301||ADT^A40|C|P|2.4\rEVN||{at}\rPID|||{one}^^^RRE||DOE\rMRG|{other}^^^RRE"
    return next(one for one in map_message(parse(raw)).changes if isinstance(one, MergePerson))


def groups(links: dict[str, MergePerson]) -> dict[str, frozenset[str]]:
    """Who is one person, by links that are in force."""
    people: dict[str, frozenset[str]] = {str(number): frozenset((str(number),)) for number in range(6)}
    for link in links.values():
        names = [known.value or "" for known in (*link.survivor.identifiers, *link.retired.identifiers)]
        joined = frozenset().union(*(people[name] for name in names))
        people.update(dict.fromkeys(joined, joined))
    return people


PAIRS = st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1])


@settings(max_examples=80, deadline=None)
@given(st.lists(PAIRS, max_size=5), PAIRS)
def test_a_merge_that_is_undone_leaves_what_was_before(before: list[tuple[int, int]], pair: tuple[int, int]) -> None:
    links: dict[str, Any] = {(change := merge(*one)).id: change for one in before if one != pair}
    was = groups(links)
    change = merge(*pair)
    assert change.id not in links and merge(*pair).id == change.id, "a repeat is the same link, another is another"
    links[change.id] = change
    assert str(pair[0]) in groups(links)[str(pair[1])]
    del links[change.id]
    assert groups(links) == was
