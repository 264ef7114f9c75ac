"""Turning the switch on and off while the system runs: the early pass is for the next boot."""

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = False
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME_A"),
]
FILES = {"/etc/vfio-bind.conf": "[Claim drive]\nMatch=@NVME_A@\n"}
