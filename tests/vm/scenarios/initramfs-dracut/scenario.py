"""Bound inside an initramfs that dracut made, with systemd in it and without."""

from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
ENABLE = True
INITRAMFS = "dracut"
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("DRIVE"),
    hw.Nvme("TWIN"),
    hw.Multifunction("NICS", ("e1000e", "e1000e")),
]
FILES = {
    "/etc/vfio-bind.conf": "[Claim drive]\nMatch=@DRIVE@\n",
    "/etc/vfio-bind.conf.d/20-more.conf": "[Claim nics]\nMatch=@NICS_0@\n",
    "/var/lib/vfio-bindd/host-devices": record(),
}
BOOTS = (
    Boot("control", enable=False),
    Boot("plain"),
    Boot("systemd", initramfs="dracut-systemd"),
    Boot("off", initramfs="dracut-systemd", kernel_args="rd.vfio_bindd=off"),
)


def check(boots, report):
    """Every "not probed" has its control."""
    for name in ("DRIVE", "NICS_0", "NICS_1"):
        probed = boots["control"].info(f"probed-{name}")
        report.equal(f"control: a host driver probes {name}", probed, "yes")
