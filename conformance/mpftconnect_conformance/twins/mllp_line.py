"""A line of MLLP for twins, with the ways in which a peer goes wrong: it hangs, resets, lies, crashes, drips."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from mpftconnect.adapters import FaultSwitch

__all__ = ["WIRE", "Line"]

WIRE = ("line-hangs", "line-resets", "line-lies", "line-drips", "line-crashes")
_START, _END = b"\x0b", b"\x1c\r"


class Line:
    """Listens on loopback from the start to `close`.

    Args:
        answer: The acknowledgement of a message; None for silence, an empty one to close the connection.
        faults: Looked at for each message.
        tls: Of a line that is not in clear.
    """

    def __init__(
        self, answer: Callable[[bytes], bytes | None], faults: FaultSwitch, tls: ssl.SSLContext | None = None
    ) -> None:
        self._answer, self._faults, self._tls = answer, faults, tls
        self._stopping = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self.port: int = self._server.getsockname()[1]
        self._taken = 0
        threading.Thread(target=self._accept, name="twin-mllp", daemon=True).start()

    def close(self) -> None:
        self._stopping.set()

    def _accept(self) -> None:
        with self._server:
            while not self._stopping.is_set():
                with suppress(OSError):
                    line, _ = self._server.accept()
                    threading.Thread(target=self._serve, args=(line,), name="twin-mllp-line", daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        held = b""
        with suppress(OSError), self._secured(plain) as line:
            line.settimeout(0.1)
            while not self._stopping.is_set():
                try:
                    data = line.recv(65_536)
                except TimeoutError:
                    continue
                if not data:
                    return
                # As a product does that takes what one read gives for one block.
                held = (
                    data
                    if "one-read-one-frame" in self._faults and len(data) < 65_536 and not held[65_535:]
                    else held + data
                )
                while _START in held and _END in held:
                    message, _, rest = held.partition(_START)[2].partition(_END)
                    held = b"" if "one-read-one-frame" in self._faults else rest
                    if not self._say(line, message):
                        return

    def _secured(self, plain: socket.socket) -> socket.socket:
        plain.settimeout(2.0)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)

    def _say(self, line: socket.socket, message: bytes) -> bool:
        self._taken += 1
        if "line-resets" in self._faults or ("line-crashes" in self._faults and self._taken > 1):
            return False
        if "line-hangs" in self._faults:
            return True
        if "line-lies" in self._faults:
            line.sendall(_START + b"\xff\x00 no message at all" + _END)
            return True
        answer = self._answer(message)
        if answer is None:
            return True
        if not answer:
            return False
        if "line-drips" in self._faults:
            for at in range(len(answer)):
                line.sendall(answer[at : at + 1])
                time.sleep(0.05)
                if self._stopping.is_set():
                    return False
        line.sendall(_START + answer + _END)
        return True
