"""Access Document: which documents there are, and the content of one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mpftconnect.adapters import Fault, TwinResponse, json_response
from mpftconnect.errors import AdapterError, AnswerRejected, NotShown, UsageError, WrongPerson
from mpftconnect.model import Attachment, DocumentReference, SectionName
from mpftconnect_gpconnect.twin.refusals import error_response

DOCUMENTS = SectionName.DOCUMENTS
BASE = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Documents"


@pytest.fixture
def shelf(line: Any) -> Any:
    """A reading of the full person, and their documents by id."""
    reading = line.reading("full", DOCUMENTS)
    found = reading.found(line.adapter.find_patient(reading))
    documents = {one.source.id.rpartition("/")[2]: one for one in line.adapter.read_documents(found)}
    return line, line.reading("full", DOCUMENTS), documents


class TestSearch:
    def test_every_document_as_the_practice_describes_it(self, shelf: Any) -> None:
        _, _, documents = shelf
        assert documents.keys() == {"full-gp-podiatry-letter", "full-gp-eye-letter", "full-gp-old-notes"}
        letter = documents["full-gp-eye-letter"]
        assert isinstance(letter, DocumentReference)
        assert letter.description == "Retinal screening result, both eyes"
        assert (letter.attachments[0].content_type, letter.attachments[0].size) == ("application/pdf", 61)
        assert letter.attachments[0].url == f"{BASE}/Binary/full-gp-eye-letter"
        assert documents["full-gp-old-notes"].attachments[0].url is None
        assert letter.subject.reference == "Patient/gp-7410018"

    def test_asks_with_the_mandatory_includes(self, shelf: Any) -> None:
        line, _, _ = shelf
        (request,) = line.asked("/DocumentReference")
        assert request.path.endswith(f"{BASE}/Patient/gp-7410018/DocumentReference")
        assert set(request.query) == {
            ("_include", "DocumentReference:subject:Patient"),
            ("_include", "DocumentReference:custodian:Organization"),
            ("_include", "DocumentReference:author:Organization"),
            ("_include", "DocumentReference:author:Practitioner"),
            ("_revinclude:recurse", "PractitionerRole:practitioner"),
        }
        assert request.headers["Ssp-InteractionID"].endswith("documents:fhir:rest:search:documentreference-1")

    def test_each_once_though_the_structured_record_links_to_some(self, line: Any, items_of: Any) -> None:
        reading = line.reading("full", DOCUMENTS, SectionName.PROBLEMS)
        found = reading.found(line.adapter.find_patient(reading))
        ids = [one.source.id for one in items_of(line.adapter.read_documents(found))]
        assert sorted(ids) == [
            "DocumentReference/full-gp-eye-letter",
            "DocumentReference/full-gp-old-notes",
            "DocumentReference/full-gp-podiatry-letter",
        ]

    def test_one_that_only_the_structured_record_knows_is_shown_too(self, line_to: Any, items_of: Any) -> None:
        line = line_to()
        reading = line.reading("full", DOCUMENTS)
        list(line.adapter.read_documents(reading.found(line.adapter.find_patient(reading))))
        bundle = json.loads(line.twin.handle(line.asked("/DocumentReference")[0]).body)
        bundle["entry"] = [e for e in bundle["entry"] if "podiatry-letter" not in e["resource"]["id"]]
        bundle["total"] -= 1
        other = line_to(answers={"DocumentReference": bundle})
        both = other.reading("full", DOCUMENTS, SectionName.PROBLEMS)
        found = items_of(other.adapter.read_documents(both.found(other.adapter.find_patient(both))))
        assert len({one.source.id for one in found}) == len(found) == 3

    def test_a_total_that_lies_is_noticed(self, line: Any) -> None:
        reading = line.reading("full", DOCUMENTS)
        found = reading.found(line.adapter.find_patient(reading))
        with line.twin.faults.on(Fault.LYING_TOTAL), pytest.raises(AnswerRejected, match="total"):
            list(line.adapter.read_documents(found))

    @pytest.mark.parametrize(
        ("role", "shown"), [("deceased", False), ("unverified", False), ("full", True), ("changed-name", True)]
    )
    def test_a_search_that_finds_nobody_is_no_such_person_to_nobody(self, line: Any, role: str, shown: bool) -> None:
        if shown:
            assert line.adapter.find_patient(line.reading(role, DOCUMENTS))
            return
        with pytest.raises(NotShown, match="does not show this person"):
            line.adapter.find_patient(line.reading(role, DOCUMENTS))

    def test_pages_are_followed_on_the_same_server_alone(self, line_to: Any, items_of: Any) -> None:
        line = line_to()
        reading = line.reading("full", DOCUMENTS)
        list(line.adapter.read_documents(reading.found(line.adapter.find_patient(reading))))
        whole = json.loads(line.twin.handle(line.asked("/DocumentReference")[0]).body)
        entries = whole["entry"]
        patient = [e for e in entries if e["resource"]["resourceType"] == "Patient"]

        def page(chosen: Any, following: str | None, total: int | None = 3) -> dict[str, Any]:
            link = [{"relation": "next", "url": following}] if following else []
            return whole | {"entry": chosen, "link": link, "total": total}

        pages = {"DocumentReference": page(entries[:2] + patient, f"{BASE}/page2"), "page2": page(entries[2:3], None)}
        other = line_to(answers=pages)
        again = other.reading("full", DOCUMENTS)
        found = items_of(other.adapter.read_documents(again.found(other.adapter.find_patient(again))))
        assert len(found) == 3
        for following, rule in (
            ("https://elsewhere.example/page2", "same server"),
            (BASE.lower() + "/page2", "same server"),
            (f"{BASE}/page2", "already seen"),
        ):
            pages["DocumentReference"] = page(entries[:2], following)
            pages["page2"] = page(entries[2:3], following if rule == "already seen" else None)
            stuck = line_to(answers=pages)
            reading = stuck.reading("full", DOCUMENTS)
            with pytest.raises(AnswerRejected, match=rule):
                list(stuck.adapter.read_documents(reading.found(stuck.adapter.find_patient(reading))))
            assert all("elsewhere" not in (exchange.url or "") for exchange in stuck.recorder.exchanges)

    @pytest.mark.parametrize("own_id", ["../Patient", "a/b", "", "..", 7, "x" * 65, "a?b"])
    def test_an_id_that_is_none_never_makes_an_address(self, line_to: Any, own_id: Any) -> None:
        line = line_to()
        line.adapter.find_patient(line.reading("full", DOCUMENTS))
        found = json.loads(line.twin.handle(line.practices()[-1]).body)
        found["entry"][0]["resource"]["id"] = own_id
        other = line_to(answers={"Patient": found})
        with pytest.raises(AdapterError):
            list(other.adapter.read_documents(other.reading("full", DOCUMENTS)))
        assert other.asked("/DocumentReference") == []

    def test_two_people_or_another_one(self, line_to: Any) -> None:
        line = line_to()
        for role in ("full", "conflicting"):
            line.adapter.find_patient(line.reading(role, DOCUMENTS))
        ours, theirs = (json.loads(line.twin.handle(one).body) for one in line.practices())
        both = ours | {"entry": ours["entry"] + theirs["entry"]}
        doubled = line_to(answers={"Patient": both})
        with pytest.raises(AnswerRejected, match="more than one person"):
            doubled.adapter.find_patient(doubled.reading("full", DOCUMENTS))
        swapped = line_to(answers={"Patient": theirs})
        with pytest.raises(WrongPerson):
            swapped.adapter.find_patient(swapped.reading("full", DOCUMENTS))

    def test_documents_are_not_searched_for_under_somebody_elses_id(self, line_to: Any) -> None:
        line = line_to()
        line.adapter.find_patient(line.reading("conflicting", DOCUMENTS))
        theirs = json.loads(line.twin.handle(line.practices()[-1]).body)
        swapped = line_to(answers={"Patient": theirs})
        with pytest.raises(WrongPerson):
            list(swapped.adapter.read_documents(swapped.reading("full", DOCUMENTS)))
        assert swapped.asked("/DocumentReference") == []


class TestFetch:
    def test_gives_the_bytes_and_their_type(self, shelf: Any) -> None:
        line, reading, documents = shelf
        letter = documents["full-gp-podiatry-letter"]
        content = line.adapter.fetch_document(reading, letter, letter.attachments[0])
        assert content.content_type == "text/plain"
        assert content.data == b"Dear colleague, please see this lady about her nails. Her pulses are good."
        assert "colleague" not in repr(content)
        (request,) = line.asked("/full-gp-podiatry-letter")
        assert request.headers["Ssp-InteractionID"].endswith("documents:fhir:rest:read:binary-1")
        lookup = [dict(one.query)["identifier"] for one in line.asked("/Device")]
        assert lookup[-1].endswith("binary-1")

    def test_a_document_without_content_is_said_to_be_so(self, shelf: Any) -> None:
        line, reading, documents = shelf
        notes = documents["full-gp-old-notes"]
        with pytest.raises(NotShown, match="without an address"):
            line.adapter.fetch_document(reading, notes, notes.attachments[0])

    @pytest.mark.parametrize(
        "url",
        [
            "https://elsewhere.example/Binary/full-gp-eye-letter",
            f"{BASE.lower()}/Binary/full-gp-eye-letter",
            f"{BASE}/binary/full-gp-eye-letter",
            f"{BASE}/Binary/",
            f"{BASE}/Binary/..",
            f"{BASE}/Binary/../Patient/gp-7410018",
            f"{BASE}/Binary/full-gp-eye-letter?_format=xml",
            f"{BASE}/Binary/full-gp-eye-letter/_history/1",
            f"{BASE}.evil.example/Binary/full-gp-eye-letter",
            "https://gp-systems.example/ZZ701/STU3/1/GPConnect/Documents/Binary/full-gp-eye-letter",
            "https://user@gp-systems.example/ZZ101/STU3/1/GPConnect/Documents/Binary/x",
            "Binary/full-gp-eye-letter",
            "file:///etc/passwd",
        ],
    )
    def test_no_other_address_is_fetched(self, shelf: Any, url: str) -> None:
        line, reading, documents = shelf
        changed = Attachment(content_type="application/pdf", url=url)
        letter = documents["full-gp-eye-letter"].model_copy(update={"attachments": (changed,)})
        before = len(line.practices())
        with pytest.raises(AnswerRejected, match="own document server"):
            line.adapter.fetch_document(reading, letter, changed)
        assert len(line.practices()) == before

    def test_only_what_this_system_gave(self, shelf: Any) -> None:
        line, reading, documents = shelf
        letter, other = documents["full-gp-eye-letter"], documents["full-gp-podiatry-letter"]
        with pytest.raises(UsageError):
            line.adapter.fetch_document(reading, letter, other.attachments[0])
        stranger = letter.model_copy(update={"source": letter.source.model_copy(update={"system": "rio"})})
        with pytest.raises(UsageError):
            line.adapter.fetch_document(reading, stranger, stranger.attachments[0])

    def test_one_that_is_too_large_is_not_even_asked_for(self, shelf: Any) -> None:
        line, reading, documents = shelf
        large = documents["full-gp-eye-letter"].attachments[0].model_copy(update={"size": 10_000_001})
        letter = documents["full-gp-eye-letter"].model_copy(update={"attachments": (large,)})
        before = len(line.practices())
        with pytest.raises(AnswerRejected, match="larger than 10000000 bytes"):
            line.adapter.fetch_document(reading, letter, large)
        assert len(line.practices()) == before

    def test_one_that_lies_about_its_size(self, line_to: Any) -> None:
        content = base64.b64encode(b"x" * 1025).decode()
        binary = {"resourceType": "Binary", "contentType": "application/pdf", "content": content}
        line = line_to(answers={"full-gp-eye-letter": binary}, most_document_bytes=1024)
        with pytest.raises(AnswerRejected, match="larger than 1024 bytes"):
            fetch(line)
        exactly = binary | {"content": base64.b64encode(b"x" * 1024).decode()}
        assert len(fetch(line_to(answers={"full-gp-eye-letter": exactly}, most_document_bytes=1024)).data) == 1024

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ({"resourceType": "Binary", "contentType": "text/html", "content": "PGgxPg=="}, AnswerRejected),
            ({"resourceType": "Binary", "contentType": "application/pdf"}, AnswerRejected),
            ({"resourceType": "Binary", "contentType": 7, "content": "PGgxPg=="}, AnswerRejected),
            ({"resourceType": "Binary", "contentType": "application/pdf", "content": "%%%"}, AnswerRejected),
            ({"resourceType": "Binary", "contentType": "application/pdf", "content": "YQ"}, AnswerRejected),
            ({"resourceType": "Patient", "id": "1"}, AnswerRejected),
            (TwinResponse(200, {"Content-Type": "text/html"}, b"<h1>Sign in</h1>"), AnswerRejected),
            (TwinResponse(200, {"Content-Type": "application/pdf"}, b"%PDF-1.4"), AnswerRejected),
            (error_response("NO_RECORD_FOUND"), NotShown),
            (error_response("NO_RECORD_FOUND", status=200), NotShown),
        ],
    )
    def test_what_is_not_what_was_promised(self, line_to: Any, answer: Any, error: type[AdapterError]) -> None:
        if isinstance(answer, dict):
            answer = json_response(answer)
        with pytest.raises(AdapterError) as caught:
            fetch(line_to(answers={"full-gp-eye-letter": answer}))
        assert type(caught.value) is error

    def test_lines_within_base64_and_parameters_of_the_type_do_not_matter(self, line_to: Any) -> None:
        binary = {"resourceType": "Binary", "contentType": "Application/PDF; x=1", "content": "JVBE\r\nRi0x\n"}
        assert fetch(line_to(answers={"full-gp-eye-letter": binary})).data == b"%PDF-1"


def fetch(line: Any) -> Any:
    reading = line.reading("full", DOCUMENTS)
    found = reading.found(line.adapter.find_patient(reading))
    (letter,) = [one for one in line.adapter.read_documents(found) if one.source.id.endswith("eye-letter")]
    return line.adapter.fetch_document(line.reading("full", DOCUMENTS), letter, letter.attachments[0])
