"""An honest stand-in for the Spine directory, the Spine Secure Proxy and the GP practices behind it."""

from mpftconnect_gpconnect.twin.service import GpConnectTwin, configure

__all__ = ["GpConnectTwin", "configure"]
