"""Tests of the disks for a root on RAID and LUKS."""

from __future__ import annotations

import shutil
import struct
import tempfile
import unittest
from pathlib import Path

from rig import root_disk


class RootDisks(unittest.TestCase):
    """What is put around an image."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.image = self.directory / "root.img"
        self.image.write_bytes(b"content" + b"\0" * (1024 * 1024 - 7))

    def test_as_it_is(self) -> None:
        for model in ("virtio-blk-pci", "nvme", "nvme-multifunction"):
            self.assertEqual(root_disk.make(model, self.image, self.directory), [self.image])

    def test_raid_members_hold_the_same_and_know_their_number(self) -> None:
        disks = root_disk.make("nvme-raid", self.image, self.directory)
        self.assertEqual(len(disks), 2)
        for number, disk in enumerate(disks):
            content = disk.read_bytes()
            self.assertEqual(content[: 1024 * 1024], self.image.read_bytes())
            where, block = root_disk.raid_superblock(len(content) // 512, number)
            self.assertGreaterEqual(where * 512, 1024 * 1024)
            # Eight kilobytes before the end, at a multiple of four.
            self.assertEqual(where % 8, 0)
            self.assertLessEqual(len(content) // 512 - where, 24)
            self.assertEqual(content[where * 512 :][: len(block)], block)
            self.assertEqual(struct.unpack_from("<I", block, 0)[0], 0xA92B4EFC)
            self.assertEqual(struct.unpack_from("<I", block, 160)[0], number)

    def test_the_checksum_of_a_superblock_is_that_of_the_rest(self) -> None:
        _, block = root_disk.raid_superblock(2048, 1)
        found = struct.unpack_from("<I", block, 216)[0]
        total = sum(struct.unpack(f"<{len(block) // 4}I", block)) - found
        self.assertEqual(found, (total & 0xFFFFFFFF) + (total >> 32))

    @unittest.skipUnless(shutil.which("cryptsetup"), "needs cryptsetup")
    def test_luks_has_a_header_and_then_the_image(self) -> None:
        (disk,) = root_disk.make("nvme-luks", self.image, self.directory)
        content = disk.read_bytes()
        self.assertEqual(content[:6], b"LUKS\xba\xbe")
        self.assertIn(root_disk.LUKS_UUID.encode(), content[:4096])
        self.assertEqual(content[16 * 1024 * 1024 :], self.image.read_bytes())


if __name__ == "__main__":
    unittest.main()
