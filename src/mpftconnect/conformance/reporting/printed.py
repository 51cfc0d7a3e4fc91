"""The page of a report as PDF, for those who file paper."""

from __future__ import annotations

from typing import Any, NoReturn

from mpftconnect.conformance.reporting.page import page_bytes
from mpftconnect.conformance.reporting.summary import Summary

__all__ = ["pdf_bytes"]


def pdf_bytes(summary: Summary) -> bytes:
    """The page without its exchanges, as print has it; nothing is fetched for it.

    Raises:
        ImportError: The extra `pdf` is not installed, or Pango is not on the system.
    """
    try:
        import weasyprint
    except OSError as error:  # it loads the system's Pango when it is imported
        raise ImportError("weasyprint finds no Pango") from error
    page = weasyprint.HTML(string=page_bytes(summary, paper=True).decode(), url_fetcher=_refuse)
    made: Any = page.write_pdf(pdf_identifier=b"mpftconnect", pdf_tags=True)
    return bytes(made)


def _refuse(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError("a report fetches nothing")
