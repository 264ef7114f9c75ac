"""Tests of reading scenarios and of reporting what came of them."""

from __future__ import annotations

import io
import tempfile
import unittest
from pathlib import Path

from rig import scenario
from rig.report import Report, Summary


class Loading(unittest.TestCase):
    """A scenario's folder."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        (self.folder / "guest.sh").touch()

    def load(self, text: str) -> scenario.Scenario:
        """Reads a scenario.py of this text."""
        (self.folder / "scenario.py").write_text(text)
        return scenario.load(self.folder)

    def test_defaults(self) -> None:
        this = self.load('"""A title.\n\nMore.\n"""\nTIER = "kernel"\n')
        self.assertEqual(this.title, "A title.")
        self.assertEqual([boot.name for boot in this.boots], ["boot"])
        self.assertFalse(this.enable)

    def test_a_boot_changes_what_it_names(self) -> None:
        this = self.load(
            "from rig.scenario import Boot\n"
            'TIER = "system"\nENABLE = True\nFILES = {"/a": "1", "/b": "2"}\n'
            'BOOTS = (Boot("control", enable=False, files={"/b": "3"}), Boot("claimed"))\n'
        )
        control, claimed = (this.resolved(boot) for boot in this.boots)
        self.assertFalse(control.enable)
        self.assertEqual(control.files, {"/a": "1", "/b": "3"})
        self.assertTrue(claimed.enable)

    def test_the_usual_run_is_a_part(self) -> None:
        this = self.load(
            "from rig.scenario import Boot\n"
            'TIER = "system"\nUSUAL_GUESTS = ("trixie",)\n'
            'BOOTS = (Boot("short"), Boot("long", full=True))\n'
        )
        self.assertIsNone(this.guests)
        self.assertEqual(this.usual().guests, ("trixie",))
        self.assertEqual([boot.name for boot in this.usual().boots], ["short"])

    def test_an_earlier_boots_initramfs(self) -> None:
        this = self.load('TIER = "system"\nINITRAMFS = "saved:first/image"\n')
        self.assertEqual(this.initramfs, "saved:first/image")

    def test_errors_name_the_folder(self) -> None:
        for text in (
            "",
            'TIER = "user"\n',
            'TIER = "kernel"\nTOPOLOGI = []\n',
            'TIER = "kernel"\nSCRIPT = "absent.sh"\n',
            'TIER = "system"\nINITRAMFS = "all"\n',
            'TIER = "system"\nROOT_MODEL = "floppy"\n',
            "TIER = (\n",
        ):
            with self.subTest(text), self.assertRaisesRegex(
                scenario.ScenarioError, self.folder.name
            ):
                self.load(text)

    def test_the_rigs_own_scenarios_load(self) -> None:
        everything = scenario.load_all(Path(__file__).parent.parent / "scenarios")
        self.assertIn("rig-kernel", everything)


class Reporting(unittest.TestCase):
    """Lines, counts, exit code."""

    def finish(self, *reports: Report) -> tuple[str, int]:
        """What is printed, and the exit code."""
        output = io.StringIO()
        summary = Summary(output)
        for report in reports:
            summary.add(report)
        code = summary.finish()
        return output.getvalue(), code

    def test_failures_show_their_details(self) -> None:
        report = Report("bookworm boot")
        report.ok("fine")
        report.equal("driver", "nvme", "vfio-pci")
        report.fail("hung", "late", ["console tail"])
        text, code = self.finish(report)
        self.assertEqual(
            text.splitlines(),
            [
                "ok bookworm boot: fine",
                "not ok bookworm boot: driver: 'nvme', expected 'vfio-pci'",
                "not ok bookworm boot: hung: late",
                "    console tail",
                "# failed: bookworm boot: driver: 'nvme', expected 'vfio-pci'",
                "# failed: bookworm boot: hung: late",
                "1 passed, 2 failed",
            ],
        )
        self.assertEqual(code, 1)

    def test_exit_code(self) -> None:
        passed, skipped = Report("a"), Report("b")
        passed.ok("fine")
        skipped.skip("boot", "this QEMU has no igb")
        self.assertEqual(self.finish(passed, skipped)[1], 0)
        self.assertEqual(self.finish(skipped)[1], 0)
        self.assertEqual(self.finish()[1], 1)


if __name__ == "__main__":
    unittest.main()
