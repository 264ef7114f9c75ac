"""Machines on which nothing can be bound boot as if we were not there, and say why."""

import dataclasses

from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
ALONE = True
_parts = [hw.Nvme("NVME_A"), hw.BridgePair("PAIR")]
TOPOLOGY = [hw.Iommu(), *_parts]
FILES = {
    "/etc/vfio-bind.conf": "[Claim drive]\nMatch=@NVME_A@\n",
    "/var/lib/vfio-bindd/host-devices": record(),
}
# The modules are hidden before the early pass could load it.
_without_module = {
    "/etc/systemd/system/vfio-bindd-early.service.d/without-module.conf": """\
[Service]
ExecStartPre=+/bin/sh -c 'mount -t tmpfs none /lib/modules/$(uname -r)/kernel/drivers/vfio/pci'
""",
}
_boots = (
    Boot("control", enable=False),
    Boot("no-iommu", topology=_parts),
    Boot("no-module", files=_without_module),
    Boot(
        "shared-group",
        files={"/etc/vfio-bind.conf": "[Claim card]\nMatch=@PAIR_0@\n"},
    ),
    Boot(
        "absent",
        files={"/etc/vfio-bind.conf": "[Claim away]\nMatch=0000:7f:00.0\n"},
    ),
)
BOOTS = (*_boots, *(dataclasses.replace(boot, name=f"{boot.name}-again") for boot in _boots))


def _usec(boots, name, what):
    return [int(boots[this].info(what)) for this in (name, f"{name}-again")]


def check(boots, report):
    """No boot is slower for a claim that cannot be fulfilled.

    Boots without us differ among themselves, on a busy host by seconds: each is done twice, and the
    slower one without us is compared with the faster one with us. What came later all the same is
    ours only if our units took that long to start. Where a guest takes more than 20 s to come up,
    everything in it takes longer: there it is a tenth of that.
    """
    control = max(_usec(boots, "control", "multi-user-usec"))
    limit = max(2_000_000, control // 10)
    for name in ("no-iommu", "no-module", "shared-group", "absent"):
        later = min(_usec(boots, name, "multi-user-usec")) - control
        own = min(_usec(boots, name, "own-start-up-usec"))
        report.true(f"{name}: our units were started", own > 0)
        report.true(
            f"{name}: multi-user.target within {limit / 1e6:.1f} s of the control boots",
            min(later, own) <= limit,
            f"{later / 1e6:.1f} s later, {own / 1e6:.1f} s of them in our units",
        )
