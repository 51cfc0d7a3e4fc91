"""A tracing service is not asked twice within a minute about the same number."""

from __future__ import annotations

from mpftconnect.hl7v2 import Subject
from mpftconnect.inbox import Resolution
from mpftconnect.inbox.people import Remembered
from mpftconnect.model import Identifier, nhs_number

ADA, BEN = nhs_number("9990000018"), nhs_number("9990000026")


class Service:
    def __init__(self, *answers: Resolution) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, subject: Subject) -> Resolution:
        self.asked += 1
        return self.answers.pop(0)


def about(number: str) -> Subject:
    return Subject(identifiers=(Identifier.nhs(number),))


def test_an_answer_is_remembered_for_a_minute_and_silence_never():
    now = [0.0]
    found, gone = Resolution("found", ADA), Resolution("unknown")
    service = Service(Resolution("unavailable"), found, Resolution("found", BEN), gone)
    remembered = Remembered(service, lambda: now[0])
    assert remembered(about(ADA)).outcome == "unavailable"
    assert [remembered(about(ADA)) for _ in range(3)] == [found] * 3 and service.asked == 2
    assert remembered(about(BEN)).number == BEN and service.asked == 3
    now[0] = 59.9
    assert remembered(about(ADA)) == found and service.asked == 3
    now[0] = 60.1
    assert remembered(about(ADA)) == gone and service.asked == 4


def test_it_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr("mpftconnect.inbox.people._MOST", 1)
    service = Service(*[Resolution("found", ADA)] * 3)
    remembered = Remembered(service, lambda: 0.0)
    for number in (ADA, BEN, ADA):
        remembered(about(number))
    assert service.asked == 3


def test_somebody_without_a_number_is_asked_about_every_time():
    service = Service(Resolution("unknown"), Resolution("unknown"))
    remembered = Remembered(service, lambda: 0.0)
    assert [remembered(Subject()).outcome for _ in range(2)] == ["unknown"] * 2 and service.asked == 2
