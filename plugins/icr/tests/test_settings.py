"""What a configuration may say, and how it is told what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mpftconnect_icr.settings import CcapiSettings, IcrFhirSettings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"auth": "client-credentials"}, "needs token_url"),
        ({"paths": {"letters": "x/{detail_id}"}}, "paths.letters: no such operation"),
        ({"paths": {"alerts": "x"}}, "expected {detail_id} once"),
        ({"paths": {"alerts": "{detail_id}/{detail_id}"}}, "expected {detail_id} once"),
        ({"collections": {"letters": "x"}}, "collections.letters: no such operation"),
        ({"members": {"letters": {}}}, "members.letters: no such operation"),
        ({"members": {"alerts": {"colour": "x"}}}, "members.alerts.colour: no such field"),
        ({"members": {"find_patient": {"nhs_number": ""}}}, "nhs_number: this member is needed"),
        ({"members": {"find_patient": {"detail_id": ""}}}, "detail_id: this member is needed"),
        ({"words": {"colour": {}}}, "words.colour: no such field"),
        ({"not_offered": ["letters"]}, "not_offered: letters: no such operation"),
        ({"page_size": 0}, "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CcapiSettings(**({"auth": "bearer"} | given))
    assert said in str(caught.value)


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        CcapiSettings(paths={"letters": "x"}, words={"colour": {}})
    for said in ("needs token_url", "paths.letters", "words.colour"):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"auth": "client-credentials"},
        {"auth": "signed-jwt", "token_url": "https://x.example/token"},
        {"auth": "signed-jwt", "key_id": "k"},
        {"also_reads": ["Goal"]},
        {"document_max_bytes": 0},
    ],
)
def test_the_read_apis_settings(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IcrFhirSettings(**given)
