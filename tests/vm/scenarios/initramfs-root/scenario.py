"""The controller of the root disk is claimed: with a record, without one, and with a wrong one."""

from rig import topology as hw
from rig.host_devices import record
from rig.scenario import Boot

TIER = "system"
FULL_ONLY = True
ENABLE = True
INITRAMFS = "project"
ROOT_MODEL = "nvme"
TOPOLOGY = [hw.Iommu(), hw.Nvme("OTHER")]
record_path = "/var/lib/vfio-bindd/host-devices"
FILES = {
    "/etc/vfio-bind.conf": "[Claim drives]\nMatch=class=0108\n",
    record_path: record(
        "path=0000:00:02.0 address=0000:00:02.0 id=1b36:0010:1af4:1100 serial=- uses=system "
        "what=/dev/nvme0n1 is mounted on /"
    ),
}
BOOTS = (
    Boot("record"),
    Boot("no-record", initramfs_files={record_path: "torn\n"}),
    # Somebody's root that no record names: it must come back by itself.
    Boot("wrong-record", initramfs_files={record_path: record()}),
)
