"""Tests of the line protocol."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from rig.channel import Check, Results


class Protocol(unittest.TestCase):
    """Lines as they come from the guest."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.results = Results(self.directory)

    def test_checks(self) -> None:
        self.results.feed(b"ok one: two\nnot ok three: why: so\n# a\n#\n# b\nskip four: no igb\n")
        self.assertEqual(
            self.results.checks,
            [
                Check("ok", "one: two"),
                Check("not ok", "three", "why: so", ["a", "", "b"]),
                Check("skip", "four", "no igb"),
            ],
        )

    def test_lines_may_come_in_pieces(self) -> None:
        for byte in b"ok one\r\ndone\n":
            self.results.feed(bytes([byte]))
        self.assertEqual(self.results.checks, [Check("ok", "one")])
        self.assertTrue(self.results.done)

    def test_files(self) -> None:
        self.results.feed(b"file ../journal\nb2sg\nZG9uZQo=\nend\nok after\n")
        self.assertEqual(self.results.file(".._journal".lstrip(".")), "ok done\n")
        self.assertEqual([path.parent for path in self.results.files.values()], [self.directory])
        self.assertFalse(self.results.done)
        self.assertEqual(self.results.checks, [Check("ok", "after")])

    def test_a_broken_file_fails(self) -> None:
        self.results.feed(b"file x\n!!\nend\n")
        self.assertEqual(self.results.checks[0].outcome, "not ok")

    def test_infos_are_keyed_and_the_last_counts(self) -> None:
        self.results.feed(b"info usec 12\ninfo usec 34\n")
        self.assertEqual(self.results.info("usec"), "34")
        self.assertEqual(self.results.info("other", "none"), "none")

    def test_a_reset_is_expected_until_the_guest_speaks_again(self) -> None:
        self.results.feed(b"reboot second\n")
        self.assertTrue(self.results.expects_reset)
        self.results.feed(b"info phase second\n")
        self.assertFalse(self.results.expects_reset)

    def test_noise_fails(self) -> None:
        self.results.feed(b"Segmentation fault\n")
        self.assertEqual(self.results.checks[0].name, "rig-protocol")


if __name__ == "__main__":
    unittest.main()
