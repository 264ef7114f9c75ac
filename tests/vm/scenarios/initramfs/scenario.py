"""Bound inside the initramfs, before the host drivers that it brings along."""

from rig import topology as hw
from rig.scenario import Boot



def record(*lines):
    """What the daemon writes on a host that needs these functions (src/host/host-devices-text.c)."""
    text = "".join(f"{line}\n" for line in ("vfio-bindd host-devices 1", *lines))
    checksum = 0xCBF29CE484222325
    for byte in text.encode():
        checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
    return f"{text}end {len(lines)} {checksum:016x}\n"


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
