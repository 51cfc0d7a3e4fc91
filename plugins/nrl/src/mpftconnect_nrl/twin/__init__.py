"""An honest stand-in for the National Record Locator, and for whoever gives the documents that it points at."""

from mpftconnect_nrl.twin.service import NrlTwin, configure

__all__ = ["NrlTwin", "configure"]
