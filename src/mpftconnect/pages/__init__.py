"""Pages for people: one person's record as a single self-contained HTML file."""

from mpftconnect.pages.record_page import record_page

__all__ = ["record_page"]
