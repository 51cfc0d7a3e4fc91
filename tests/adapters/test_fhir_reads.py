"""What readers of FHIR R4 servers have in common: every section has its searches and its method."""

from __future__ import annotations

import inspect

import pytest

from mpftconnect.adapters import READS
from mpftconnect.adapters.fhir_reads import SEARCHES, FhirR4Reads, FhirR4Sections
from mpftconnect.errors import AnswerRejected
from mpftconnect.model import SectionName


def test_every_section_has_searches_and_no_search_feeds_two_sections():
    assert set(SEARCHES) == set(SectionName)
    searches = [(type_, *sorted(params.items())) for every in SEARCHES.values() for type_, params in every]
    assert len(searches) == len(set(searches))


@pytest.mark.parametrize("name", SectionName)
def test_every_read_method_reads_its_own_section(name):
    asked = []

    class Asked(FhirR4Sections):
        def _section(self, reading, section):
            asked.append(section)
            return iter(())

    assert list(getattr(Asked(None), READS[name])(None)) == []
    assert asked == [name]


def test_finding_alone_offers_no_section():
    assert not [name for name, _ in inspect.getmembers(FhirR4Reads) if name.startswith("read_")]


@pytest.mark.parametrize("sent", [[], "Patient", None, {}, {"id": 7}])
def test_a_patient_that_is_none_is_refused(sent):
    with pytest.raises(AnswerRejected):
        FhirR4Reads(None)._as_patient(None, sent)  # type: ignore[arg-type]
