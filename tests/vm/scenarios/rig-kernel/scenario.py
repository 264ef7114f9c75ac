"""The rig itself: a kernel with busybox, and vfio-pci bound by hand."""

from rig import topology as hw

TIER = "kernel"
USUAL_GUESTS = ("bookworm",)
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME"),
    hw.NvmeSriov("PF", vfs=8),
    hw.BridgePair("PAIR"),
    hw.HotplugPort("SLOT"),
    hw.Endpoint("LATE", "qemu-xhci", port=9),
    hw.Multifunction("COMBO", ["nvme", "e1000e", "e1000e"]),
    hw.RootSlot("MISC"),
    hw.ExtraRoot("ROOT", 0x40, [hw.BridgePair("FAR_PAIR"), hw.Nvme("FAR")]),
]
