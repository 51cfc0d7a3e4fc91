"""Checks of the connection: which step fails, and that they are about nobody."""

from __future__ import annotations

from typing import Any

import pytest

from mpftconnect.adapters import TwinResponse
from mpftconnect_gpconnect.twin.refusals import proxy_response


def steps(line: Any) -> dict[str, tuple[bool, str]]:
    return {step.name: (step.ok, step.advice) for step in line.adapter.check_connection(line.wire)}


def test_each_step_in_order(line: Any) -> None:
    assert steps(line) == {
        "directory": (True, ""),
        "own identifier of RRE": (True, ""),
        "own identifier of ZZ210": (True, ""),
        "capability statement": (True, ""),
    }
    (request,) = line.practices()
    assert request.path.endswith("/metadata")
    assert request.headers["Ssp-InteractionID"].endswith("structured:fhir:rest:read:metadata-1")
    assert all(one.method == "GET" and one.body == b"" for one in line.transport.asked)


def test_the_directory_fails(line_to: Any) -> None:
    found = steps(line_to(answers={"Device": TwinResponse(503)}))
    assert list(found) == ["directory"]
    assert found["directory"][0] is False
    assert "sds_api_key" in found["directory"][1]


def test_an_identifier_that_the_directory_does_not_know(line_to: Any) -> None:
    organisations = {"RRE": {"name": "Trust", "asid": "200000000111"}}
    found = steps(line_to(organisations=organisations))
    assert found["directory"][0]
    assert not found["own identifier of RRE"][0]
    assert "registered" in found["own identifier of RRE"][1]


def test_the_proxy_refuses(line: Any) -> None:
    with line.twin.answering(proxy_response(403)):
        ok, advice = steps(line)["capability statement"]
    assert not ok
    assert advice.startswith("the Spine proxy refuses")
    assert "client certificate" in advice


def test_what_answers_is_not_stu3(line_to: Any) -> None:
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    ok, advice = steps(line_to(answers={"metadata": statement}))["capability statement"]
    assert not ok
    assert "STU3" in advice


def test_without_a_person_who_answers_for_it_the_last_step_is_not_claimed(line_to: Any) -> None:
    line = line_to(check=None)
    ok, advice = steps(line)["capability statement"]
    assert not ok
    assert advice.startswith("not tried")
    assert line.practices() == []


@pytest.mark.parametrize("name", ["System", "admin"])
def test_nor_in_the_name_of_nobody(line_to: Any, name: str) -> None:
    check = {"practice": "ZZ101", "organisation": "RRE", "user": "jane.doe", "name": name}
    line = line_to(check=check)
    assert not steps(line)["capability statement"][0]
    assert line.practices() == []
