"""Tests of how guests end, good and bad, on a real kernel: needs QEMU and one built guest."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from rig import guests, qemu, runner, scenario
from rig.channel import Results


def built() -> guests.Image | None:
    """Any image there is."""
    return next(filter(None, map(guests.find, guests.GUESTS.values())), None)


@unittest.skipUnless(shutil.which(qemu.PROGRAM), "needs QEMU")
@unittest.skipUnless(built(), "needs a guest: vm build")
class Endings(unittest.TestCase):
    """Each kind of end gives its own readable failure."""

    def run_script(self, script: str, deadline: float = 180) -> Results:
        """Boots the kernel tier with this script."""
        image = built()
        assert image
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = Path(temporary.name) / "scenario"
        directory = Path(temporary.name) / "boot"
        folder.mkdir()
        directory.mkdir()
        (folder / "guest.sh").write_text(script)
        (folder / "scenario.py").write_text('TIER = "kernel"\n')
        this = scenario.load(folder)
        with image.held():
            machine = runner.prepare(this, this.boots[0], image, None, directory, directory)
            with qemu.VirtualMachine(machine, directory) as guest:
                guest.run(deadline)
        self.emulator_fault = guest.emulator_fault
        return guest.results

    def assert_failed(self, results: Results, name: str, said: str) -> None:
        """There is one failure, of this name, and it or its details say this."""
        failures = [check for check in results.checks if check.outcome == "not ok"]
        self.assertEqual([check.name for check in failures], [name])
        text = "\n".join([failures[0].why, *failures[0].details])
        self.assertIn(said, text)

    def test_good(self) -> None:
        results = self.run_script("ok fine\n")
        self.assertEqual([check.name for check in results.checks], ["fine"])
        self.assertTrue(results.done)
        self.assertIn("Linux version", results.file("dmesg-first"))

    def test_failing_script(self) -> None:
        results = self.run_script("set -e\nfalse\nok unreached\n")
        self.assert_failed(results, "guest-script", "status 1")

    def test_panic(self) -> None:
        results = self.run_script("echo c > /proc/sysrq-trigger\n")
        self.assert_failed(results, "rig-guest died", "sysrq triggered crash")
        self.assertEqual(self.emulator_fault, "")

    def test_missed_patch(self) -> None:
        results = self.run_script(
            "echo 'Oops: int3: 0000 [#1]' > /dev/console\necho c > /proc/sysrq-trigger\n"
        )
        self.assert_failed(results, "rig-guest died", "sysrq triggered crash")
        self.assertIn("breakpoint", self.emulator_fault)

    def test_hang(self) -> None:
        results = self.run_script("echo last words\nsleep 1000\n", deadline=20)
        self.assert_failed(results, "rig-guest hung", "last words")

    def test_no_life(self) -> None:
        with mock.patch.object(qemu, "LIFE_SECONDS", 0.1):
            results = self.run_script("ok too late\n")
        self.assert_failed(results, "rig-guest never lived", "no word and no console for 0.1 s")
        self.assertIn("no sign of life", self.emulator_fault)

    def test_early_end(self) -> None:
        results = self.run_script("poweroff -f\n")
        self.assert_failed(results, "rig-guest ended early", "status 0")

    def test_early_reset(self) -> None:
        results = self.run_script("reboot -f\n")
        self.assert_failed(results, "rig-guest died", "reset itself")

    def test_announced_poweroff(self) -> None:
        results = self.run_script("ok before\npower_off\n")
        self.assertEqual([check.name for check in results.checks], ["before"])

    def test_refused_requests(self) -> None:
        results = self.run_script(
            'refute "no such slot" hotplug_add NOWHERE e1000e\n'
            "refute \"no such command\" qmp '{\"execute\":\"sing\"}'\n"
            'check "QMP" qmp \'{"execute":"query-status"}\'\n'
            "refute \"no such event\" wait_event SUNRISE 1\n"
        )
        self.assertEqual([check.outcome for check in results.checks], ["ok"] * 4)


if __name__ == "__main__":
    unittest.main()
