"""Pages for people: one person's record, and which system contributed what, as self-contained HTML files."""

from mpftconnect.pages.record_page import record_page
from mpftconnect.pages.systems_page import systems_page

__all__ = ["record_page", "systems_page"]
