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
# The root's slot has a sound card too, and so its group.
shared_slot = [*TOPOLOGY, hw.Raw("intel-hda,addr=2.1", "NEIGHBOUR", "0000:00:02.1")]
configuration_path = "/etc/vfio-bind.conf"
record_path = "/var/lib/vfio-bindd/host-devices"
by_address = {configuration_path: "[Claim drives]\nMatch=@ROOT_DISK@\nMatch=@OTHER@\n"}
as_companion = {
    configuration_path: "[Claim sound]\nMatch=@NEIGHBOUR@\n\n[Claim drives]\nMatch=@OTHER@\n"
}
without_record = {record_path: "torn\n"}
FILES = {
    configuration_path: "[Claim drives]\nMatch=class=0108\n",
    record_path: record(
        "path=0000:00:02.0 address=0000:00:02.0 id=1b36:0010:1af4:1100 serial=- uses=system "
        "what=/dev/nvme0n1 is mounted on /"
    ),
}
BOOTS = (
    Boot("record"),
    Boot("no-record", initramfs_files=without_record),
    Boot("address", files=by_address),
    Boot("address-no-record", files=by_address, initramfs_files=without_record),
    Boot(
        "companion",
        root_model="nvme-multifunction",
        topology=shared_slot,
        files=as_companion,
    ),
    Boot(
        "companion-no-record",
        root_model="nvme-multifunction",
        topology=shared_slot,
        files=as_companion,
        initramfs_files=without_record,
    ),
    # Somebody's root that no record names: it must come back by itself.
    Boot("wrong-record", initramfs_files={record_path: record()}),
)
