"""The QEMU machine protocol: commands, their replies, and the events in between."""

from __future__ import annotations

import collections
import json
import socket
import time
from typing import Any


class QmpError(Exception):
    """The connection ended or an answer did not come in time."""


class Qmp:
    """A client on a connected socket; replies come in order, events are kept until asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self.events: collections.deque[dict[str, Any]] = collections.deque(maxlen=1000)

    def greet(self, timeout: float = 30) -> None:
        """Reads the greeting and leaves the negotiation mode."""
        if "QMP" not in self._message(time.monotonic() + timeout):
            raise QmpError("no QMP greeting")
        self.execute({"execute": "qmp_capabilities"})

    def execute(self, command: dict[str, Any], timeout: float = 30) -> dict[str, Any]:
        """Runs a command; returns the whole reply, with `return` or `error`."""
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(json.dumps(command).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"QEMU does not listen: {error}") from error
        deadline = time.monotonic() + timeout
        while True:
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
            else:
                return message

    def poll(self) -> None:
        """Collects events that have come, without waiting."""
        deadline = time.monotonic()
        try:
            while True:
                message = self._message(deadline)
                if "event" in message:
                    self.events.append(message)
        except TimeoutError:
            pass

    def take_event(self, name: str, wanted: dict[str, str] | None = None) -> dict[str, Any] | None:
        """Removes and returns the first kept event of that name whose data has these values."""
        for event in self.events:
            data = event.get("data", {})
            if event["event"] == name and all(
                str(data.get(key)) == value for key, value in (wanted or {}).items()
            ):
                self.events.remove(event)
                return event
        return None

    def wait_event(
        self, name: str, timeout: float, wanted: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Waits for an event, kept or new; None if it does not come in time."""
        deadline = time.monotonic() + timeout
        while (event := self.take_event(name, wanted)) is None:
            try:
                message = self._message(deadline)
            except TimeoutError:
                return None
            if "event" in message:
                self.events.append(message)
        return event

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def _message(self, deadline: float) -> dict[str, Any]:
        """The next message; TimeoutError at the deadline, QmpError when QEMU is gone."""
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise QmpError(f"QEMU is gone: {error}") from error
            if not data:
                raise QmpError("QEMU is gone")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
