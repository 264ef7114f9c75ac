"""The rig itself: a kernel with busybox, and vfio-pci bound by hand."""

from rig import topology as hw

TIER = "kernel"
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME"),
    hw.NvmeSriov("PF", vfs=8),
    hw.BridgePair("PAIR"),
    hw.HotplugPort("SLOT"),
]
