"""An honest stand-in for PDS and the authorisation server in front of it."""

from mpftconnect_pds.twin.service import BASE_PATH, PdsTwin

__all__ = ["BASE_PATH", "PdsTwin"]
