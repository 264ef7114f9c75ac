"""Tests of what is laid over a guest's root, and of the archive that carries it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from rig import cpio, overlay


class Trees(unittest.TestCase):
    """Folders turned into entries."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def put(self, path: str, text: str = "", mode: int = 0o644) -> None:
        """Makes a file below the root."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def test_merged_usr(self) -> None:
        self.put("lib/systemd/system/a.service")
        self.put("library")
        self.assertEqual(
            set(overlay.from_tree(self.root)), {"/usr/lib/systemd/system/a.service", "/library"}
        )

    def test_modes_lose_the_group_write_bit_only(self) -> None:
        self.put("usr/bin/tool", mode=0o775)
        self.assertEqual(overlay.from_tree(self.root)["/usr/bin/tool"].mode & 0o7777, 0o755)

    def test_links_and_empty_directories(self) -> None:
        (self.root / "var/empty").mkdir(parents=True)
        (self.root / "link").symlink_to("var")
        files = overlay.from_tree(self.root)
        self.assertEqual(files["/link"], cpio.Entry.symlink("var"))
        self.assertEqual(files["/var/empty"], cpio.Entry.directory())

    def test_names_are_substituted_in_templates_only(self) -> None:
        self.put("etc/a.conf.in", "Match=@NVME_A@")
        self.put("etc/b.conf", "mail@NVME_A@")
        files = overlay.from_tree(self.root, {"NVME_A": "0000:01:00.0"})
        self.assertEqual(files["/etc/a.conf"].content, b"Match=0000:01:00.0")
        self.assertEqual(files["/etc/b.conf"].content, b"mail@NVME_A@")

    def test_an_unknown_name_is_an_error(self) -> None:
        with self.assertRaises(overlay.OverlayError):
            overlay.substituted(b"@NVME_Z@", {"NVME_A": ""})

    def test_tools_are_programs(self) -> None:
        self.put("tool", "text", 0o600)
        entry = overlay.tool_files(self.root, ["tool"])["/usr/local/bin/tool"]
        self.assertEqual((entry.mode & 0o7777, entry.content), (0o755, b"text"))
        with self.assertRaises(overlay.OverlayError):
            overlay.tool_files(self.root, ["other"])

    @unittest.skipUnless(shutil.which("systemctl"), "needs systemctl")
    def test_enablement(self) -> None:
        unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
        also = unit + "Alias=alias.service\n"
        files = {
            "/usr/lib/systemd/system/a.service": cpio.Entry.file(unit + "Also=b.service\n"),
            "/usr/lib/systemd/system/b.service": cpio.Entry.file(also),
        }
        links = overlay.enablement(files, ["a.service"])
        self.assertEqual(
            set(links),
            {
                "/etc/systemd/system/multi-user.target.wants/a.service",
                "/etc/systemd/system/multi-user.target.wants/b.service",
                "/etc/systemd/system/alias.service",
            },
        )


@unittest.skipUnless(shutil.which("cpio"), "needs cpio")
class Archives(unittest.TestCase):
    """The archive as cpio itself reads it."""

    def test_listing(self) -> None:
        output = io.BytesIO()
        entries = {
            "/usr/bin/tool": cpio.Entry.file(b"#!/bin/sh\n", 0o755),
            "/etc/link": cpio.Entry.symlink("target"),
        }
        cpio.write(output, entries, below="/rig/overlay")
        listing = subprocess.run(
            ["cpio", "-itvn", "--quiet"], input=output.getvalue(), capture_output=True, check=True
        ).stdout.decode()
        lines = [line.split() for line in listing.splitlines()]
        found = {" ".join(line[8:]): (line[0], line[2], line[3]) for line in lines}
        self.assertEqual(found["rig/overlay/usr/bin/tool"], ("-rwxr-xr-x", "0", "0"))
        self.assertEqual(found["rig/overlay/etc/link -> target"], ("lrwxrwxrwx", "0", "0"))
        self.assertEqual(found["rig/overlay/usr/bin"], ("drwxr-xr-x", "0", "0"))

    def test_parents_come_before_children(self) -> None:
        output = io.BytesIO()
        cpio.write(output, {"/a/b-c": cpio.Entry.file(b""), "/a/b/c": cpio.Entry.file(b"")})
        text = output.getvalue()
        self.assertLess(text.index(b"a/b\0"), text.index(b"a/b/c\0"))


if __name__ == "__main__":
    unittest.main()
