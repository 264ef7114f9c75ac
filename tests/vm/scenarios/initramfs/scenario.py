"""Bound inside the initramfs, before the host drivers that it brings along."""

from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
INITRAMFS = "project"
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("DRIVE"),
    hw.Nvme("TWIN"),
    hw.Multifunction("NICS", ("e1000e", "e1000e")),
    hw.Endpoint("SATA", "ahci"),
    hw.Endpoint("USB", "qemu-xhci"),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim drive]
Match=@DRIVE@

[Claim nics]
Match=@NICS_0@
""",
    "/etc/vfio-bind.conf.d/20-more.conf": """\
[Claim sata]
Match=@SATA@

[Claim usb]
Match=@USB@
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}
claimed = ("DRIVE", "NICS_0", "NICS_1", "SATA", "USB")
BOOTS = (
    # Made with the switch off: the same image without us, and the same drivers.
    Boot("control", enable=False),
    Boot("claimed"),
    Boot("off", kernel_args="rd.vfio_bindd=off vfio_bindd.skip=sata"),
)


def check(boots, report):
    """Every "not probed" has its control."""
    control = boots["control"]
    for name in claimed:
        report.equal(f"control: a host driver probes {name}", control.info(f"probed-{name}"), "early")
