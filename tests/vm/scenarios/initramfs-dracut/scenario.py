"""Bound inside an initramfs that dracut made, with systemd in it and without."""

from rig import cpio
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
# The root's device is there only when a question has been answered, and the answer comes when
# systemd's timer is over: as somebody who is slow with the passphrase of an encrypted root.
unit = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/sh /rig/"
units, wants = "/etc/systemd/system/", "/etc/systemd/system/sysinit.target.wants/"
question = {
    "/etc/udev/rules.d/70-rig.rules":
        'KERNEL=="vda", TEST=="/run/rig-answer", SYMLINK+="rig-root"\n',
    "/rig/ask": """\
systemd-ask-password --timeout=0 "The rig asks" > /run/rig-new && mv /run/rig-new /run/rig-answer
udevadm trigger --action=change --subsystem-match=block
""",
    "/rig/answer": """\
until [ "$(systemctl is-active vfio-bindd-giveback-wait.service)" = activating ]; do sleep 1; done
sleep 10 # with the question open, all this time
for question in /run/systemd/ask-password/ask.*; do
    while IFS='=' read -r key value; do
        [ "$key" != Socket ] || socket=$value
    done < "$question"
    echo answer | /usr/lib/systemd/systemd-reply-password 1 "$socket"
done
""",
}
for name in ("ask", "answer"):
    question[f"{units}rig-{name}.service"] = f"{unit}{name}\n"
    question[f"{wants}rig-{name}.service"] = cpio.Entry.symlink(f"../rig-{name}.service")
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
    Boot(
        "asked",
        initramfs="dracut-systemd",
        files=everything,
        initramfs_files=question,
        kernel_args="root=/dev/rig-root rd.retry=300",
    ),
)


def check(boots, report):
    """Every "not probed" has its control."""
    for name in ("DRIVE", "NICS_0", "NICS_1"):
        probed = boots["control"].info(f"probed-{name}")
        report.equal(f"control: a host driver probes {name}", probed, "yes")
