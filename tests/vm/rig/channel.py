"""The line protocol between guest and host.

The guest writes results to one virtio-serial port and asks for things on another:

    ok NAME                      a check passed
    not ok NAME: WHY             a check failed; `# …` lines after it are its details
    skip NAME: WHY               a check could not be made
    info TEXT                    kept with the boot's results, KEY VALUE by custom
    file NAME … end              base64 lines between: a file for the results directory
    reboot PHASE, poweroff       what is about to happen is meant to
    done                         the scenario's script is through
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9._@:+-]")


@dataclasses.dataclass
class Check:
    """One judged statement; outcome is `ok`, `not ok` or `skip`."""

    outcome: str
    name: str
    why: str = ""
    details: list[str] = dataclasses.field(default_factory=list)


class Results:
    """Collects what a guest says; files go to `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checks: list[Check] = []
        self.infos: list[str] = []
        self.files: dict[str, Path] = {}
        self.done = False
        self.expects_reset = False
        self.expects_poweroff = False
        self._buffer = b""
        self._file: str | None = None
        self._file_lines: list[str] = []

    def feed(self, data: bytes) -> None:
        """Takes bytes as they come."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace").rstrip("\r"))

    def fail(self, name: str, why: str, details: list[str] | None = None) -> None:
        """Adds a failure that the host has seen."""
        self.checks.append(Check("not ok", name, why, details or []))

    def info(self, key: str, default: str = "") -> str:
        """The value of the last `info KEY VALUE`."""
        for text in reversed(self.infos):
            name, _, value = text.partition(" ")
            if name == key:
                return value
        return default

    def file(self, name: str) -> str:
        """The text of a file the guest sent; empty if it sent none."""
        path = self.files.get(name)
        return path.read_text(errors="replace") if path else ""

    def _line(self, line: str) -> None:
        if self._file is not None:
            if line == "end":
                self._finish_file()
            else:
                self._file_lines.append(line)
            return
        word, _, rest = line.partition(" ")
        # An announced reboot may reset the machine more than once, until the guest speaks again.
        self.expects_reset = word == "reboot"
        if word in ("ok", "skip"):
            name, _, why = rest.partition(": ") if word == "skip" else (rest, "", "")
            self.checks.append(Check(word, name, why))
        elif line.startswith("not ok "):
            name, _, why = line.removeprefix("not ok ").partition(": ")
            self.checks.append(Check("not ok", name, why))
        elif word == "#":
            if self.checks:
                self.checks[-1].details.append(rest)
        elif word == "info":
            self.infos.append(rest)
        elif word == "file":
            self._file, self._file_lines = rest, []
        elif word == "reboot":
            pass
        elif word == "poweroff":
            self.expects_poweroff = True
        elif word == "done":
            self.done = True
        elif line:
            self.fail("rig-protocol", f"cannot read {line!r}")

    def _finish_file(self) -> None:
        name = _UNSAFE.sub("_", self._file or "unnamed").lstrip(".")
        self._file = None
        try:
            content = base64.b64decode("".join(self._file_lines), validate=True)
        except (binascii.Error, ValueError) as error:
            self.fail("rig-protocol", f"file {name}: {error}")
            return
        path = self.directory / name
        path.write_bytes(content)
        self.files[name] = path
