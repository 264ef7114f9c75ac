"""What the running host uses is never taken, each use for its own reason."""

from rig import topology as hw
from rig.scenario import Boot

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
TOOLS = ("vfio-open",)
TOPOLOGY = [
    hw.Iommu(),
    hw.HostNic(),
    hw.Raw("VGA,bus=pcie.0,addr=0x8", "DISPLAY", "0000:00:08.0"),
    hw.Nvme("FREE"),
    hw.Nvme("MOUNTED"),
    hw.Nvme("LINEAR"),
    hw.Nvme("LOGICAL"),
    hw.Nvme("RAID"),
    hw.Nvme("SWAP"),
    hw.Nvme("RAW"),
    hw.Nvme("LAZY"),
    hw.Nvme("NAMESPACE"),
    hw.Nvme("TARGET"),
    hw.Nvme("PASSED"),
    hw.NvmeSriov("PF", vfs=4),
    hw.Multifunction("PAIR", ("nvme", "nvme")),
    hw.ExtraRoot(
        "NETWORK",
        parts=(
            hw.Endpoint("BRIDGED"),
            hw.Endpoint("BONDED"),
            hw.Endpoint("TAGGED"),
            hw.Endpoint("HIDDEN"),
        ),
    ),
]
BOOTS = (Boot("guard", deadline=1200),)

# What is claimed, the driver that it has, and why it is not taken.
_host_disk = "0000:00:02.0"
_system = ("MOUNTED", "LINEAR", "RAID", "SWAP", "LAZY", "NAMESPACE", "TARGET")
_others = ("LOGICAL", "RAW", "HOST_NIC", "BRIDGED", "BONDED", "TAGGED", "HIDDEN", "DISPLAY")


def _claims(names: tuple[str, ...], settings: str = "") -> str:
    return "".join(
        f"[Claim {name.lower().replace('_', '-')}]\nMatch=@{name}@\n{settings}\n" for name in names
    )


_all_four = "AllowInUse=holders network display process\n"
_root = f"[Claim root]\nMatch={_host_disk}\n"
_pair = "[Claim pair]\nMatch=@PAIR_0@\nCompanions=all\n"
_by_address = _root + _claims((*_system, *_others, "PF", "PASSED", "FREE")) + _pair
_by_class = "".join(
    f"[Claim class-{number}]\nMatch=class={number}\n" for number in ("01", "02", "03")
)
_in_spite = (
    f"{_root}{_all_four}"
    + _claims((*_system, *_others, "PF", "FREE"), _all_four)
    + _claims(("PASSED",), f"Driver=pci-stub\n{_all_four}")
    + f"{_pair}{_all_four}"
)
FILES = {
    "/root/by-address.conf": _by_address,
    "/root/by-class.conf": _by_class,
    "/root/in-spite.conf": _in_spite,
}
