"""What came of it: one line per check, a summary, an exit code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import TextIO

from rig.channel import Check


class Report:
    """Checks of one thing (a boot, or a scenario's comparison of boots)."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.checks: list[Check] = []

    def add(self, checks: Iterable[Check]) -> None:
        """Takes over checks made elsewhere."""
        self.checks.extend(checks)

    def ok(self, name: str) -> None:
        """Notes a passed check."""
        self.checks.append(Check("ok", name))

    def fail(self, name: str, why: str, details: Iterable[str] = ()) -> None:
        """Notes a failed check."""
        self.checks.append(Check("not ok", name, why, list(details)))

    def skip(self, name: str, why: str) -> None:
        """Notes that a check could not be made."""
        self.checks.append(Check("skip", name, why))

    def true(self, name: str, condition: bool, why: str = "not true") -> None:
        """Checks a condition."""
        if condition:
            self.ok(name)
        else:
            self.fail(name, why)

    def equal(self, name: str, actual: object, expected: object) -> None:
        """Checks for equality."""
        self.true(name, actual == expected, f"{actual!r}, expected {expected!r}")


class Summary:
    """Prints reports as they come and counts."""

    def __init__(self, output: TextIO = sys.stdout) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._failed: list[str] = []
        self.counts = {"ok": 0, "not ok": 0, "skip": 0}

    def add(self, report: Report) -> None:
        """Prints one report's lines, uninterrupted by others."""
        with self._lock:
            for check in report.checks:
                self.counts[check.outcome] += 1
                why = f": {check.why}" if check.why else ""
                line = f"{report.where}: {check.name}{why}"
                self._print(f"{check.outcome} {line}")
                if check.outcome == "not ok":
                    self._failed.append(line)
                for detail in check.details:
                    self._print(f"    {detail}")

    def note(self, text: str) -> None:
        """Prints a line that is no check."""
        with self._lock:
            self._print(f"# {text}")

    def finish(self) -> int:
        """Prints what failed once more, and the summary; returns the exit code, 1 also for a run
        that checked nothing."""
        for line in self._failed:
            self._print(f"# failed: {line}")
        skipped = f", {self.counts['skip']} skipped" if self.counts["skip"] else ""
        self._print(f"{self.counts['ok']} passed, {self.counts['not ok']} failed{skipped}")
        return 1 if self.counts["not ok"] or not any(self.counts.values()) else 0

    def _print(self, text: str) -> None:
        print(text, file=self._output, flush=True)
