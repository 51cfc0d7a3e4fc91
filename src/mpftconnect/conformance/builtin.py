"""What the engine brings through the hooks: the forms of a report, and an adapter for any FHIR R4 server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mpftconnect.adapters import READS, AdapterContext, AdapterSpec, Capability, TriedAgainst, auth_from, only
from mpftconnect.adapters.fhir_reads import FhirR4Sections
from mpftconnect.conformance import ReportFormat
from mpftconnect.hookspecs import hookimpl
from mpftconnect.model import Model

if TYPE_CHECKING:
    from mpftconnect.conformance.reporting.summary import Summary

__all__ = ["FhirR4Settings", "mpft_adapters", "mpft_report_formats"]


class FhirR4Settings(Model):
    """Settings of the generic adapter.

    Args:
        auth: How requests are signed; see `mpftconnect.adapters.auth_from`.
        token_url: Where a token is fetched.
        key_id: Which of the registered keys signs.
    """

    auth: Literal["none", "bearer", "client-credentials", "signed-jwt"] = "none"
    token_url: str | None = None
    key_id: str | None = None


def _open(context: AdapterContext) -> FhirR4Sections:
    settings: FhirR4Settings = context.settings or FhirR4Settings()
    return FhirR4Sections(auth_from(settings.auth, context, token_url=settings.token_url, key_id=settings.key_id))


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="fhir-r4",
            supplier="any",
            product="FHIR R4 server, by its base URL alone",
            tried_against=TriedAgainst("nothing", "twins of this SDK"),
            # What a server offers is not known from its address: whatever is read may be refused, and is then a gap.
            capabilities=only(Capability.FIND_PATIENT, partly=READS.values()),
            open=_open,
            settings=FhirR4Settings,
            optional_secrets=("token", "client_id", "client_secret", "api_key", "private_key"),
        )
    ]


@hookimpl
def mpft_report_formats() -> Sequence[ReportFormat]:
    def junit(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.forms import junit_bytes  # only a report needs it

        return junit_bytes(summary)

    def table(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.forms import csv_bytes

        return csv_bytes(summary)

    def page(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.page import page_bytes

        return page_bytes(summary)

    def printed(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.printed import pdf_bytes

        return pdf_bytes(summary)

    def document(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.office import docx_bytes

        return docx_bytes(summary)

    def workbook(summary: Summary) -> bytes:
        from mpftconnect.conformance.reporting.office import xlsx_bytes

        return xlsx_bytes(summary)

    return [
        ReportFormat(name="html", file="report.html", write=page),
        ReportFormat(name="junit", file="junit.xml", write=junit),
        ReportFormat(name="csv", file="requirements.csv", write=table),
        ReportFormat(name="pdf", file="report.pdf", write=printed, needs="pdf"),
        ReportFormat(name="docx", file="report.docx", write=document, needs="docx"),
        ReportFormat(name="xlsx", file="report.xlsx", write=workbook, needs="xlsx"),
    ]
