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
# The record names no disk: what this takes in the initramfs has to come back by itself.
everything = {"/etc/vfio-bind.conf": "[Claim drives]\nMatch=class=0108\n"}
BOOTS = (
    Boot("control", enable=False),
    Boot("plain"),
    Boot("systemd", initramfs="dracut-systemd"),
    Boot("off", initramfs="dracut-systemd", kernel_args="rd.vfio_bindd=off"),
    Boot("gave-back", root_model="nvme", files=everything, kernel_args="rd.retry=40"),
    Boot(
        "gave-back-systemd",
        initramfs="dracut-systemd",
        root_model="nvme",
        files=everything,
        # so that systemd's timer comes before dracut's own hooks
        kernel_args="rd.retry=300",
    ),
)


def check(boots, report):
    """Every "not probed" has its control."""
    for name in ("DRIVE", "NICS_0", "NICS_1"):
        probed = boots["control"].info(f"probed-{name}")
        report.equal(f"control: a host driver probes {name}", probed, "yes")
