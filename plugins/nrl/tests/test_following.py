"""Following pointers: to their documents where settings allow, and nowhere else, whatever a pointer says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.adapters import Fault, TwinResponse
from mpftconnect.errors import AdapterError, AnswerRejected, NotPermitted, SystemFailed, UsageError
from mpftconnect.model import Attachment, DocumentReference, extra_from
from mpftconnect_nrl.following import INTERACTION_ID, _is_allowed, _split, provider_asid

PDF = TwinResponse(200, {"Content-Type": "application/pdf"}, b"%PDF-1.4")


def document(line: Any, url: str | None, *, related: Any = None, **attachment: Any) -> DocumentReference:
    named = [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "990000000002"}}]
    return DocumentReference(
        source=line.reading().source("DocumentReference/ZZ502-1"),
        attachments=(Attachment(url=url, **{"content_type": "application/pdf", **attachment}),),
        extra=(extra_from("context.related", named if related is None else related),),
    )


def fetch(line: Any, document: DocumentReference, **changes: Any) -> Any:
    return line.adapter.fetch_document(line.reading(**changes), document, document.attachments[0])


class TestDirectly:
    def test_to_the_bytes_that_are_there(self, line: Any) -> None:
        crisis, _, contact = line.documents()
        content = fetch(line, crisis)
        assert content.content_type == "application/pdf"
        assert content.data.startswith(b"%PDF-1.4")
        page = fetch(line, contact)
        assert (page.content_type, b"clinical desk" in page.data) == ("text/html", True)

    def test_without_credentials_and_without_saying_who_asks(self, line: Any) -> None:
        fetch(line, line.documents()[0])
        sent = line.transport.asked[-1]
        assert sent.path == "/documents/full-crisis"
        assert not {"Authorization", "NHSD-End-User-Organisation-ODS", "Ssp-To"} & set(sent.headers)
        assert "9990000018" not in str(dict(sent.headers)) + sent.path

    def test_the_type_that_was_promised_is_asked_for(self, line: Any) -> None:
        fetch(line, line.documents()[0])
        assert line.transport.asked[-1].headers["Accept"] == "application/pdf, */*;q=0.1"
        for promised in (None, "", "x", "a/b\r\nX: y", "text/html; charset=utf-8"):
            wanted = "text/html, */*;q=0.1" if promised and promised.startswith("text/") else "*/*"
            fetch(line, document(line, "http://nrl.invalid/documents/full-crisis", content_type=promised))
            assert line.transport.asked[-1].headers["Accept"] == wanted

    def test_a_document_of_another_type_is_given_as_what_it_is(self, line: Any, twin: Any) -> None:
        crisis = line.documents()[0]
        with twin.faults.on(Fault.WRONG_DOCUMENT):
            assert fetch(line, crisis).content_type == "text/plain"

    @pytest.mark.parametrize(
        "url",
        [
            "https://elsewhere.example/x",
            "http://nrl.invalid:8080/documents/full-crisis",
            "http://nrl.invalid.elsewhere.example/documents/full-crisis",
            "http://elsewhere.example/?nrl.invalid",
            "http://127.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://localhost/documents/full-crisis",
            "http://2130706433/",
            "https://xn--nrl-invalid.example/",
        ],
    )
    def test_nowhere_that_settings_do_not_allow(self, line: Any, url: str) -> None:
        line.documents()
        asked = len(line.transport.asked)
        with pytest.raises(NotPermitted, match="settings do not allow") as caught:
            fetch(line, document(line, url))
        assert len(line.transport.asked) == asked
        assert "example" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            "", "x", "/documents/full-crisis", "//nrl.invalid/x", "file:///etc/passwd", "ftp://nrl.invalid/x",
            "javascript:alert(1)", "data:text/html,x", "gopher://nrl.invalid/", "http:///x", "http://",
            "http://user@nrl.invalid/x", "http://nrl.invalid@elsewhere.example/", "http://nrl.invalid\\@elsewhere/",
            "http://nrl.invalid/ x", "http://nrl.invalid/\r\nX: y", "http://nrl.invalid/\x00", "http://nrl.invalid:99999/",
            "http://nrl.invalid:0/", "http://nrl.invalid:x/", "http://[nrl/", "http://nrl.invalid/../x",
            "http://nrl.invalid/a/%2e%2E/x", "http://nrl.invalid/" + "x" * 3000, "http://nrl.inväl.id/",
        ],
    )  # fmt: skip
    def test_an_address_that_readers_could_read_differently_is_refused(self, line: Any, url: str) -> None:
        with pytest.raises(AnswerRejected) as caught:
            fetch(line, document(line, url))
        assert caught.value.place == "content.attachment.url"
        assert line.transport.asked == ()

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, script: Any, line: Any, status: int) -> None:
        answer = TwinResponse(status, {"Location": "http://169.254.169.254/"})
        scripted = script(answer)
        with pytest.raises(AnswerRejected, match="redirects are not followed"):
            fetch(scripted, document(line, "http://nrl.invalid/x"))
        assert len(scripted.transport.asked) == 1

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(401, NotPermitted), (403, NotPermitted), (404, AnswerRejected), (410, AnswerRejected), (500, SystemFailed),
         (204, AnswerRejected), (206, AnswerRejected)],
    )  # fmt: skip
    def test_what_is_no_document(self, script: Any, line: Any, status: int, kind: type[AdapterError]) -> None:
        with pytest.raises(kind):
            fetch(script(TwinResponse(status, {}, b"Wolfscote")), document(line, "http://nrl.invalid/x"))

    def test_a_document_without_a_stated_type(self, script: Any, line: Any) -> None:
        content = fetch(script(TwinResponse(200, {}, b"x")), document(line, "http://nrl.invalid/x"))
        assert (content.content_type, content.data) == (None, b"x")

    def test_one_that_is_too_large(self, script: Any, line: Any) -> None:
        large = TwinResponse(200, {"Content-Type": "application/pdf"}, b"x" * 5000)
        scripted = script(large, max_document_bytes=4096)
        with pytest.raises(AnswerRejected, match="larger than 4096"):
            fetch(scripted, document(line, "http://nrl.invalid/x"))

    def test_in_live_only_by_https(self, line_to: Any, twin: Any, line: Any) -> None:
        live = line_to(twin, environment="live", document_hosts=["nrl.invalid"])
        with pytest.raises(NotPermitted, match="without encryption"):
            fetch(live, document(line, "http://nrl.invalid/documents/full-crisis"))
        assert live.transport.asked == ()

    def test_only_an_attachment_of_the_document(self, line: Any) -> None:
        crisis, eol, _ = line.documents()
        with pytest.raises(UsageError, match="not one of the document's"):
            line.adapter.fetch_document(line.reading(), crisis, eol.attachments[0])

    def test_data_inside_the_pointer(self, line: Any, line_to: Any, twin: Any) -> None:
        inside = document(line, None, data_base64=base64.b64encode(b"inside").decode())
        assert fetch(line, inside).data == b"inside"
        with pytest.raises(AnswerRejected, match="leads nowhere"):
            fetch(line, document(line, None))
        with pytest.raises(AnswerRejected, match="base64"):
            fetch(line, document(line, None, data_base64="****"))
        small = line_to(twin, max_document_bytes=1024)
        for size in (1100, 3000):
            with pytest.raises(AnswerRejected, match="larger"):
                fetch(small, document(line, None, data_base64=base64.b64encode(b"x" * size).decode()))


class TestByTheProxy:
    def test_to_the_bytes_that_are_there(self, line: Any) -> None:
        eol = line.documents()[1]
        content = fetch(line, eol)
        assert content.content_type == "application/pdf"
        assert b"dog beside her" in content.data

    def test_with_the_headers_that_the_proxy_wants(self, line: Any, who: Any) -> None:
        fetch(line, line.documents()[1])
        sent = line.transport.asked[-1]
        assert sent.path == "/ssp/https%3A%2F%2Fdocuments.sandbox.invalid%2Fdocuments%2Ffull-eol"
        assert (sent.headers["Ssp-From"], sent.headers["Ssp-To"]) == ("990000000001", "990000000002")
        assert sent.headers["Ssp-InteractionID"] == INTERACTION_ID
        assert "NHSD-End-User-Organisation-ODS" not in sent.headers
        token = sent.headers["Authorization"].removeprefix("Bearer ")
        header, claims, signature = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "none", "typ": "JWT"}
        assert signature == ""
        assert said["exp"] - said["iat"] == 300
        assert said["requesting_organization"].endswith("|RRE")
        assert (
            said["requesting_user"]
            == said["sub"]
            == f"https://fhir.nhs.uk/Id/sds-role-profile-id|{who.role_profile_id}"
        )
        assert said["scope"] == "patient/*.read"
        assert "9990000018" not in str(said)

    def test_the_locators_own_token_does_not_go_there(self, line: Any, twin: Any) -> None:
        fetch(line, line.documents()[1])
        assert not twin.authorisation.knows(line.transport.asked[-1].headers["Authorization"].removeprefix("Bearer "))

    def test_each_request_has_a_trace_and_a_token_of_its_own(self, line: Any) -> None:
        eol = line.documents()[1]
        fetch(line, eol)
        first = line.transport.asked[-1].headers["Ssp-TraceID"]
        fetch(line, eol)
        assert line.transport.asked[-1].headers["Ssp-TraceID"] != first

    def test_not_without_a_role_profile(self, line: Any, who: Any) -> None:
        eol = line.documents()[1]
        with pytest.raises(NotPermitted, match="role profile"):
            fetch(line, eol, who=who.model_copy(update={"role_profile_id": None}))

    def test_not_without_settings_nor_to_another_host(self, line: Any, line_to: Any, twin: Any) -> None:
        eol = line.documents()[1]
        with pytest.raises(NotPermitted, match="ssp"):
            fetch(line_to(twin, ssp=None), eol)
        for host in ("elsewhere.example", "documents.sandbox.invalid.example", "documents.sandbox.invalid:444"):
            with pytest.raises(NotPermitted, match=r"ssp\.hosts"):
                fetch(line, document(line, f"ssp://{host}/x"))

    @pytest.mark.parametrize(
        "related",
        [
            [], "x", {}, [{}], ["x"], [{"identifier": "x"}],
            [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "12345"}}],
            [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": 990000000002}}],
            [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "99000000000\u0662"}}],
            [{"identifier": {"system": "urn:other", "value": "990000000002"}}],
            [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "990000000002"}}] * 2,
        ],
    )  # fmt: skip
    def test_exactly_one_asid_of_twelve_digits(self, line: Any, related: Any) -> None:
        pointed = document(line, "ssp://documents.sandbox.invalid/documents/full-eol", related=related)
        with pytest.raises(AnswerRejected, match="exactly one ASID"):
            fetch(line, pointed)
        with pytest.raises(AnswerRejected, match="exactly one ASID"):
            provider_asid(pointed.model_copy(update={"extra": ()}))
        assert line.transport.asked == ()

    def test_another_system_named_beside_the_asid_is_no_harm(self, line: Any) -> None:
        related = [
            {"identifier": {"system": "urn:other", "value": "1"}},
            {"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "990000000002"}},
        ]
        assert fetch(line, document(line, "ssp://documents.sandbox.invalid/documents/full-eol", related=related)).data

    def test_what_the_proxy_refuses(self, line: Any, line_to: Any, twin: Any) -> None:
        wrong = [{"identifier": {"system": "https://fhir.nhs.uk/Id/nhsSpineASID", "value": "990000000009"}}]
        with pytest.raises(SystemFailed, match="502"):
            fetch(line, document(line, "ssp://documents.sandbox.invalid/documents/full-eol", related=wrong))
        ssp = {"url": "http://nrl.invalid/ssp", "asid": "990000000008", "issuer": "x", "hosts": [".sandbox.invalid"]}
        with pytest.raises(NotPermitted, match="403"):
            fetch(line_to(twin, ssp=ssp), document(line, "ssp://documents.sandbox.invalid/documents/full-eol"))
        with pytest.raises(AnswerRejected, match="404"):
            fetch(line, document(line, "ssp://documents.sandbox.invalid/documents/none"))

    def test_a_document_that_is_had_directly_is_not_had_by_the_proxy_nor_the_other_way_round(self, line: Any) -> None:
        for url in ("ssp://documents.sandbox.invalid/documents/full-crisis", "http://nrl.invalid/documents/full-eol"):
            with pytest.raises(AnswerRejected, match="404"):
                fetch(line, document(line, url))


class TestHosts:
    @pytest.mark.parametrize(
        ("url", "allowed"),
        [
            ("https://a.nhs.uk/x", True),
            ("https://A.NHS.UK/x", True),
            ("https://nhs.uk/x", False),
            ("https://evilnhs.uk/x", False),
            ("https://a.nhs.uk:444/x", False),
            ("https://a.nhs.uk.example/x", False),
            ("https://plain.example/x", True),
            ("https://plain.example:443/x", True),
            ("https://b.plain.example/x", False),
            ("https://odd.example:8443/x", True),
            ("https://odd.example/x", False),
            ("https://10.0.0.1/x", False),
        ],
    )
    def test_a_suffix_a_name_and_a_port(self, url: str, allowed: bool) -> None:
        hosts = (".nhs.uk", "plain.example", "odd.example:8443", ".1")
        assert _is_allowed(_split(url, "nrl"), hosts) is allowed

    @given(st.text(max_size=60))
    def test_whatever_stands_there_is_refused_or_led_to_an_allowed_host(self, text: str) -> None:
        try:
            split = _split(text, "nrl")
        except AnswerRejected:
            return
        assert split.hostname
        assert "@" not in split.netloc
        assert split.scheme in ("http", "https", "ssp")

    @given(st.text(alphabet="a.:/@\\#?%[]1 ", max_size=40))
    def test_no_trick_of_spelling_leads_from_an_allowed_host_elsewhere(self, rest: str) -> None:
        import requests

        url = f"https://good.example{rest}"
        try:
            split = _split(url, "nrl")
            allowed = _is_allowed(split, ("good.example",))
        except AnswerRejected:
            return
        if allowed:
            # Where it would really be sent, by the library that sends it.
            assert (
                requests.Request("GET", url)
                .prepare()
                .url.startswith(("https://good.example/", "https://good.example:443/"))
            )


def test_the_twin_is_asked_for_nothing_that_it_did_not_point_at(line: Any) -> None:
    for pointed in line.documents():
        fetch(line, pointed)
    paths = {request.path for request in line.transport.asked if request.method == "GET"}
    assert len(paths) == 3
