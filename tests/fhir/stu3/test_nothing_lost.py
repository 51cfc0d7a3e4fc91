"""Whatever is sent in STU3 is shown by the item or kept in `extra`; only what cannot be an item is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from leaves import lost
from spoiling import ANYTHING, NAMES, spoil
from strategies import ITEM_TYPES, SOURCE, items, json_values

from mpftconnect.errors import UsageError
from mpftconnect.fhir import NotMapped, dump_json, parse_json, read_resource, write_resource
from mpftconnect.fhir.stu3 import STU3_READS_TYPES, read_stu3_resource, write_stu3_resource
from mpftconnect.model import Consent, Item, LegalStatus, ProgressNote

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
NO_STU3_FORM = (Consent, LegalStatus, ProgressNote)

# Members that only STU3 has, so that hostile values land where its tables read.
_STU3_NAMES = st.sampled_from(
    (
        *(
            "assertedDate",
            "clinicalStatus",
            "verificationStatus",
            "notGiven",
            "taken",
            "related",
            "comment",
            "requester",
        ),
        *("agent", "recorder", "practitioner", "explanation", "reasonNotGiven", "vaccinationProtocol", "doseSequence"),
        *("prohibited", "indexed", "created", "class", "interpretation", "quantity", "numberOfRepeatsAllowed", "date"),
        *("recipient", "serviceRequested", "role", "collection", "target", "practitioner", "validityPeriod"),
    )
)


def _source(resource: dict[str, Any]) -> Any:
    return SOURCE.model_copy(update={"id": f"{resource['resourceType']}/1"})


def _read(resource: dict[str, Any]) -> Item | None:
    try:
        return read_stu3_resource(resource, source=_source(resource))
    except NotMapped:
        return None


def _holds(sent: dict[str, Any], item: Item) -> None:
    """Nothing is lost, in STU3 or on the way to R4; and what was read is written and read back the same."""
    assert not lost(sent, item, write_stu3_resource)
    assert read_resource(parse_json(dump_json(write_resource(item)), max_depth=1000)) == item
    if sent["resourceType"] != "PractitionerRole":  # whose name stands in the Practitioner
        assert read_stu3_resource(parse_json(dump_json(write_stu3_resource(item)), max_depth=1000)) == item


@pytest.mark.parametrize("resource_type", sorted(STU3_READS_TYPES))
@given(members=st.dictionaries(st.one_of(NAMES, _STU3_NAMES), ANYTHING, max_size=6))
@settings(UNHURRIED, max_examples=6)
def test_arbitrary_members_are_shown_or_kept(resource_type: str, members: dict[str, Any]) -> None:
    sent = members | {"resourceType": resource_type}
    item = _read(sent)
    if item is None:
        assert sent.get("doNotPerform") not in (None, False)
        return
    _holds(sent, item)


@pytest.mark.parametrize(
    "item_type", [kind for kind in ITEM_TYPES if kind not in NO_STU3_FORM], ids=lambda kind: kind.__name__
)
@given(data=st.data())
@settings(UNHURRIED, max_examples=6)
def test_a_spoilt_resource_is_shown_or_kept(item_type: type[Item], data: st.DataObject) -> None:
    written = write_stu3_resource(data.draw(items(item_type)))
    sent = spoil(written, data.draw(st.randoms(use_true_random=False)), data.draw(json_values()))
    item = _read(sent)
    if item is not None:
        _holds(sent, item)


@pytest.mark.parametrize("item", [Consent(source=SOURCE), ProgressNote(source=SOURCE, text="Well.")])
def test_what_has_no_stu3_form_is_refused(item: Item) -> None:
    with pytest.raises(UsageError, match="has no STU3 form"):
        write_stu3_resource(item)
