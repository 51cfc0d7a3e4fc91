"""Who asks, from options and the configuration's `[who]`."""

from __future__ import annotations

from mpftconnect.cli.options import who_from
from mpftconnect.model import AccessContext

CONFIGURED = AccessContext(
    user="jane", name="Jane", role="nurse", organisation="RRE", purpose="direct-care", relationship="caseload",
    practitioner_id="555", role_profile_id="777", role_code="S8000:G8000:R8001", session="s",
)  # fmt: skip


def test_what_is_not_given_comes_from_the_configuration() -> None:
    assert who_from({"user": None, "role": ""}, CONFIGURED, sandbox=False) == CONFIGURED
    assert who_from({"user": "jane", "organisation": "ZZ1"}, CONFIGURED, sandbox=False).practitioner_id == "555"


def test_the_configured_users_ids_and_codes_are_nobody_elses() -> None:
    other = who_from({"user": "pat", "name": "Pat"}, CONFIGURED, sandbox=False)
    assert (other.practitioner_id, other.role_profile_id, other.role_code, other.session) == (None,) * 4
    other = who_from({"role": "clerk"}, CONFIGURED, sandbox=False)
    assert (other.practitioner_id, other.role_profile_id, other.role_code) == ("555", None, None)
