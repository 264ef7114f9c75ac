"""The rig itself: a Debian guest with every kind of emulated hardware."""

from rig import topology as hw

TIER = "system"
FULL_ONLY = True
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(),
    hw.RootSlot("MISC"),
    hw.Nvme("NVME_A"),
    hw.Nvme("NVME_B"),
    hw.NvmeSriov("PF", vfs=32),
    hw.BridgePair("PAIR"),
    hw.Multifunction("COMBO"),
    hw.Endpoint("NIC", "e1000e"),
    hw.HotplugPort("SLOT"),
]
FILES = {"/etc/rig-test/from-setting": "nvme @NVME_A@\n"}
