"""Tests of what QEMU is asked before a machine starts, with a stand-in for its answers."""

from __future__ import annotations

import os
import socket
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from rig import RigError, UnavailableError, qemu
from rig.hardware import Hardware

# Answers as QEMU 7.2 does, status 0 for unknown models included.
ANSWERS = """#!/bin/sh
case "$2" in
    e1000e,help) echo "e1000e options:"; echo "  addr=<int32>  - Slot" ;;
    edu,help) echo "There are no options for edu." ;;
    *) echo "qemu: -device $2: Device '${2%,help}' not found" >&2 ;;
esac
"""
BROKEN = """#!/bin/sh
echo "cannot open shared object file" >&2
exit 127
"""


class Requirements(unittest.TestCase):
    """What this QEMU has and has not."""

    def use(self, script: str) -> None:
        """Puts a program in QEMU's place."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        program = Path(temporary.name) / qemu.PROGRAM
        program.write_text(script)
        program.chmod(0o755)
        path = mock.patch.dict(os.environ, {"PATH": f"{temporary.name}:{os.environ['PATH']}"})
        path.start()
        self.addCleanup(path.stop)
        qemu._properties.cache_clear()
        self.addCleanup(qemu._properties.cache_clear)

    def require(self, model: str, prop: str = "") -> None:
        """Asks for one model."""
        hardware = Hardware()
        hardware.need(model, prop)
        qemu.require(hardware)

    def test_known(self) -> None:
        self.use(ANSWERS)
        self.require("edu")
        self.require("e1000e", "addr")

    def test_unknown_is_unavailable(self) -> None:
        self.use(ANSWERS)
        with self.assertRaisesRegex(UnavailableError, "has no igb"):
            self.require("igb")
        with self.assertRaisesRegex(UnavailableError, "e1000e has no sriov_max_vfs"):
            self.require("e1000e", "sriov_max_vfs")

    def test_a_broken_qemu_is_an_error_and_no_reason_to_skip(self) -> None:
        self.use(BROKEN)
        with self.assertRaisesRegex(RigError, "shared object") as caught:
            self.require("edu")
        self.assertNotIsInstance(caught.exception, UnavailableError)


class Reset(unittest.TestCase):
    """A guest that resets itself, with and without a word."""

    def watch(self, said: bytes) -> str:
        """What the rig holds of a reset after these words."""
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        machine = qemu.VirtualMachine(mock.Mock(), Path(temporary.name))
        ours, guests = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(guests.close)
        machine._wires["results"] = ours
        machine._qmp = mock.Mock()
        machine._qmp.take_event.side_effect = [True, False]
        guests.sendall(said)
        machine._watch()
        return machine._dead

    def test_announced_behind_a_long_file(self) -> None:
        text = b"file log\n" + (b"A" * 75 + b"\n") * 1000 + b"end\nreboot next\n"
        self.assertEqual(self.watch(text), "")

    def test_not_announced(self) -> None:
        self.assertIn("reset itself", self.watch(b"ok something\n"))


class RootDisk(unittest.TestCase):
    """The disk that a guest is on, as the models of rig.scenario."""

    def devices(self, model: str, disks: tuple[Path, ...] = (Path("/a,b"),)) -> list[str]:
        """The -device arguments."""
        arguments = qemu._root_disks(disks, model)
        self.assertEqual(arguments[0::4], ["-drive"] * len(disks))
        self.assertIn("file=/a,,b,format=raw,snapshot=on", arguments[1])
        return arguments[3::4]

    def test_models(self) -> None:
        self.assertEqual(
            self.devices("virtio-blk-pci"), ["virtio-blk-pci,drive=root,bus=pcie.0,addr=0x2"]
        )
        nvme = "nvme,drive=root,bus=pcie.0,addr=0x2,serial=root"
        self.assertEqual(self.devices("nvme"), [nvme])
        self.assertEqual(self.devices("nvme-luks"), [nvme])
        self.assertEqual(self.devices("nvme-multifunction"), [f"{nvme},multifunction=on"])
        self.assertEqual(
            self.devices("nvme-raid", (Path("/a,b"), Path("/c"))),
            [nvme, "nvme,drive=root2,bus=pcie.0,addr=0x1,serial=root2"],
        )

    def test_no_disk(self) -> None:
        self.assertEqual(qemu._root_disks((), "virtio-blk-pci"), [])


if __name__ == "__main__":
    unittest.main()
