"""What is missing, in as few lines as it takes, and nothing left out of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import GapReason
from mpftconnect.hub.gap_lines import gap_lines
from mpftconnect.hub.record import Gap
from mpftconnect.model import SectionName

gaps = st.lists(
    st.builds(
        Gap,
        system=st.sampled_from(["rio", "gp"]),
        section=st.none() | st.sampled_from(SectionName),
        reason=st.sampled_from(GapReason),
        detail=st.sampled_from(["", "status 503"]),
    ),
    max_size=30,
)


@given(gaps)
def test_every_gap_is_in_one_line_and_failures_come_first(given_: list[Gap]) -> None:
    lines = gap_lines(given_)
    told = {(line.gap.system, line.gap.reason, line.gap.detail, name) for line in lines for name in line.sections}
    assert told == {(gap.system, gap.reason, gap.detail, gap.section) for gap in given_ if gap.section}
    # What is missing as a whole keeps a line of its own, beside one for the sections of the same reason.
    keys = [(line.gap.system, line.gap.reason, line.gap.detail, not line.sections) for line in lines]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(gap.system, gap.reason, gap.detail, gap.section is None) for gap in given_}
    standing = [line.is_standing for line in lines]
    assert standing == sorted(standing)
    for line in lines:
        assert all(name.replace("_", " ") in line.words() for name in line.sections)
        assert line.is_standing == (line.gap.reason in ("not-declared", "no-agreement"))
