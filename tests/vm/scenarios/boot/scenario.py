"""Bound at boot, before any host driver: twins, a group behind a bridge, a claim without hardware."""

from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Nvme("NVME_A"),
    hw.Nvme("NVME_B"),
    hw.BridgePair("PAIR"),
    hw.Multifunction("COMBO"),
    hw.RootSlot("MISC"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Defaults]
NodeGroup=kvm

[Claim drive]
Match=@NVME_A@ expect=1b36:0010

[Claim pair]
Match=@PAIR_0@
Companions=all
NodeUser=nobody
NodeMode=0600

[Claim combo]
Match=@COMBO_0@

[Claim not-here]
Match=0000:7f:00.0
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
# The control boots show what the same machine does without us: the host's drivers probe.
BOOTS = (
    Boot("control", enable=False),
    Boot("claimed"),
    Boot("host-driver-first", initramfs="most"),
)


def check(boots, report):
    """Every "not probed" has its control."""
    control = boots["control"]
    for name in ("NVME_A", "PAIR_0", "PAIR_1", "COMBO_0", "COMBO_1"):
        report.true(
            f"control boot: a host driver probes {name}",
            control.info(f"probed-{name}") == "yes",
            "the control boot shows no probe, so its absence would prove nothing",
        )
