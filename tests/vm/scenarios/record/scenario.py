"""What the host uses while it runs is left alone by the next early pass, until it is let go."""

from rig import topology as hw

TIER = "system"
FULL_ONLY = True
ENABLE = True
DEADLINE = 900
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("DATA"),
    hw.Nvme("FREE"),
    hw.Endpoint("NIC", "e1000e"),
    hw.HostNic(),
]
