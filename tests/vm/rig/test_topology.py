"""Tests of the hardware vocabulary: addresses, arguments, errors."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from rig import RigError
from rig import topology as hw


class Addresses(unittest.TestCase):
    """What the topology foretells."""

    def test_ports_count_up(self) -> None:
        plan = hw.plan([hw.Nvme("A"), hw.Endpoint("B"), hw.HotplugPort("C")])
        self.assertEqual(plan.addresses["A"], "0000:01:00.0")
        self.assertEqual(plan.addresses["B"], "0000:02:00.0")
        self.assertEqual(plan.addresses["C"], "0000:03:00.0")
        self.assertEqual(plan.addresses["C_PORT"], "0000:00:12.0")

    def test_a_bridge_takes_two_buses(self) -> None:
        plan = hw.plan([hw.BridgePair("P"), hw.Nvme("A")])
        self.assertEqual(plan.addresses["P_BRIDGE"], "0000:01:00.0")
        self.assertEqual(plan.addresses["P_1"], "0000:02:02.0")
        self.assertEqual(plan.addresses["A"], "0000:03:00.0")

    def test_chosen_ports_order_the_buses(self) -> None:
        plan = hw.plan([hw.Nvme("LATE", port=5), hw.Nvme("FIRST"), hw.Nvme("MIDDLE", port=3)])
        self.assertEqual(plan.addresses["FIRST"], "0000:01:00.0")
        self.assertEqual(plan.addresses["MIDDLE"], "0000:02:00.0")
        self.assertEqual(plan.addresses["LATE"], "0000:03:00.0")
        self.assertEqual(plan.addresses["LATE_PORT"], "0000:00:14.0")

    def test_virtual_functions_pass_the_slot_border(self) -> None:
        facts = hw.plan([hw.NvmeSriov("PF", vfs=9)]).facts
        self.assertEqual(facts["PF_VF6"], "0000:01:00.7")
        self.assertEqual(facts["PF_VF7"], "0000:01:01.0")

    def test_extra_root_numbers_its_own(self) -> None:
        plan = hw.plan([hw.ExtraRoot("R", 0x40, [hw.Nvme("A")]), hw.Nvme("B")])
        self.assertEqual(plan.addresses["A"], "0000:41:00.0")
        self.assertEqual(plan.addresses["B"], "0000:01:00.0")

    def test_empty_slots_are_not_expected_at_boot(self) -> None:
        plan = hw.plan([hw.HotplugPort("S"), hw.Nvme("A")])
        self.assertNotIn(plan.addresses["S"], plan.present)
        self.assertEqual(plan.present[plan.addresses["A"]], "1b36:0010")


class Arguments(unittest.TestCase):
    """What QEMU is told."""

    def test_the_iommu_comes_first(self) -> None:
        plan = hw.plan([hw.Nvme("A"), hw.Iommu()])
        self.assertTrue(plan.devices[0].startswith("intel-iommu,"))
        self.assertIn("kernel-irqchip=split", plan.machine)

    def test_function_zero_comes_last(self) -> None:
        models = [d.split(",")[0] for d in hw.plan([hw.RootSlot("M")]).devices]
        self.assertEqual(models, ["pci-testdev", "edu"])

    def test_drives_are_sparse_files(self) -> None:
        plan = hw.plan([hw.Nvme("A", size="1G")])
        with tempfile.TemporaryDirectory() as directory:
            plan.make_drives(Path(directory))
            status = (Path(directory) / "drive-A.raw").stat()
        self.assertEqual(status.st_size, 1 << 30)
        self.assertLess(status.st_blocks, 16)

    def test_needs_name_the_property(self) -> None:
        self.assertIn(("nvme", "sriov_max_vfs"), hw.plan([hw.NvmeSriov("PF")]).needs)


class Errors(unittest.TestCase):
    """Lists that make no machine."""

    def refuse(self, *parts: hw.Part) -> None:
        """The parts cannot be planned."""
        with self.assertRaises(RigError):
            hw.plan(parts)

    def test_errors(self) -> None:
        self.refuse(hw.Nvme("A"), hw.Nvme("A"))
        self.refuse(hw.Nvme("A", port=1), hw.Nvme("B", port=1))
        self.refuse(hw.Nvme("A", port=16))
        self.refuse(*(hw.RootSlot(f"S{i}") for i in range(12)))


if __name__ == "__main__":
    unittest.main()
