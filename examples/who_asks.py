"""Who asks, from the claims of a signed-in user; and what a refusal looks like.

The claims must come from a token whose signature your sign-in library has verified.
"""

from mpftconnect import AccessContext, connect
from mpftconnect.errors import AccessRefused, UsageError

CLAIMS = {
    "sub": "a1b2c3",
    "name": "Sam Patel",
    "sid": "session-17",
    "nhsid_useruid": "555000000011",
    "selected_roleid": "555000000012",
    "nhsid_nrbac_roles": [
        {"person_roleid": "555000000012", "role_name": "Mental Health Nurse", "org_code": "RRE"},
        {"person_roleid": "555000000013", "role_name": "Ward Clerk", "org_code": "RRE"},
    ],
}


def main() -> None:
    who = AccessContext.from_oidc(CLAIMS, purpose="direct-care", relationship="caseload")
    print(f"{who.name}, {who.role}, {who.organisation}, role profile {who.role_profile_id}")

    try:
        AccessContext.from_oidc({"sub": "a1b2c3"}, purpose="direct-care", relationship="caseload")
    except UsageError as error:
        print("Cannot tell who asks:", error)

    hurried = AccessContext.from_oidc(CLAIMS, purpose="direct-care", relationship="break-glass")
    with connect(sandbox=True) as hub:
        try:
            hub.record("999 000 0018", hurried)
        except AccessRefused as refused:
            print(f"Refused ({refused.code}): {refused}")


if __name__ == "__main__":
    main()
