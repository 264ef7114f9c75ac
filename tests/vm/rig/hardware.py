"""The hardware of one machine as QEMU and the kernel see it: arguments, addresses, needs.

What a scenario says about hardware (see topology) ends here.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from rig import RigError

ROOT_DISK_SLOT = 0x02
CHANNEL_SLOT = 0x03
NIC_SLOT = 0x04
ROOT_DISK_2_SLOT = 0x01
FIRST_ENDPOINT_SLOT = 0x05
FIRST_PORT_SLOT = 0x10
LAST_PORT_SLOT = 0x1E

# vendor:device of QEMU's models, to check that each is where it was foretold.
MODEL_IDS = {
    "nvme": "1b36:0010",
    "e1000": "8086:100e",
    "e1000e": "8086:10d3",
    "igb": "8086:10c9",
    "edu": "1234:11e8",
    "pci-testdev": "1b36:0005",
    "pcie-pci-bridge": "1b36:000e",
    "i82801b11-bridge": "8086:244e",
    "pcie-root-port": "1b36:000c",
    "virtio-net-pci": "1af4:1000",
    "ahci": "8086:2922",
    "qemu-xhci": "1b36:000d",
    "intel-hda": "8086:2668",
    "ich9-intel-hda": "8086:293e",
    "VGA": "1234:1111",
    "bochs-display": "1234:1111",
}
NETWORK_MODELS = ("e1000", "e1000e", "igb", "virtio-net-pci")


class TopologyError(RigError):
    """The list of parts makes no machine."""


def address(bus: int, slot: int, function: int = 0) -> str:
    """A PCI address in the kernel's form."""
    return f"0000:{bus:02x}:{slot:02x}.{function}"


@dataclasses.dataclass(frozen=True)
class Port:
    """A root port with the bus behind it."""

    identifier: str
    bus: int


@dataclasses.dataclass
class Hardware:
    """What a list of parts comes to: arguments, addresses, and what QEMU must be able to do."""

    machine: str = "q35"
    devices: list[str] = dataclasses.field(default_factory=list)
    networks: list[str] = dataclasses.field(default_factory=list)
    drives: dict[str, str] = dataclasses.field(default_factory=dict)
    addresses: dict[str, str] = dataclasses.field(default_factory=dict)
    present: dict[str, str] = dataclasses.field(default_factory=dict)
    slots: dict[str, str] = dataclasses.field(default_factory=dict)
    needs: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    next_endpoint: int = FIRST_ENDPOINT_SLOT

    def add(self, model: str, identifier: str = "", **properties: object) -> None:
        """Adds a device."""
        options = [model]
        if identifier:
            options.append(f"id={identifier}")
        options += [f"{key}={value}" for key, value in properties.items()]
        self.devices.append(",".join(options))
        self.need(model)

    def need(self, model: str, prop: str = "") -> None:
        """Notes that QEMU must know the device model (and its property)."""
        if (model, prop) not in self.needs:
            self.needs.append((model, prop))

    def named(self, name: str, where: str, model: str = "") -> None:
        """Gives an address its name; with a model it must be there at boot."""
        if name in self.addresses:
            raise TopologyError(f"two parts are called {name}")
        self.addresses[name] = where
        if model in MODEL_IDS:
            self.present[where] = MODEL_IDS[model]

    def drive(self, name: str, size: str) -> str:
        """Adds an empty drive; returns its identifier."""
        identifier = f"drive-{name}"
        self.drives[identifier] = size
        return identifier

    def function(self, model: str, name: str, **properties: object) -> None:
        """Adds an endpoint of any model, with the drive it needs."""
        if model in NETWORK_MODELS:
            # Without its boot ROM, which the firmware would run for seconds.
            properties.setdefault("romfile", "")
        if model == "nvme":
            properties.setdefault("serial", name)
            properties.setdefault("drive", self.drive(name, "64M"))
        self.add(model, name, **properties)

    def take_endpoint_slot(self) -> int:
        """The next free slot for an endpoint of bus 0."""
        if self.next_endpoint >= FIRST_PORT_SLOT:
            raise TopologyError("bus 0 is full")
        self.next_endpoint += 1
        return self.next_endpoint - 1

    def environment(self) -> dict[str, str]:
        """The names for guest scripts and for @NAME@ in configuration files."""
        disks = {
            "ROOT_DISK": address(0, ROOT_DISK_SLOT),
            "ROOT_DISK_2": address(0, ROOT_DISK_2_SLOT),
        }
        return {**self.addresses, **self.facts, **disks}

    def arguments(self, directory: Path) -> list[str]:
        """The QEMU arguments; drives are files in `directory` (see make_drives)."""
        arguments = []
        for network in self.networks:
            arguments += ["-netdev", network]
        for identifier in self.drives:
            path = str(directory / f"{identifier}.raw").replace(",", ",,")
            arguments += ["-drive", f"if=none,id={identifier},format=raw,cache=unsafe,file={path}"]
        for device in self.devices:
            arguments += ["-device", device]
        return arguments

    def make_drives(self, directory: Path) -> None:
        """Makes the sparse files behind the drives, where they are missing."""
        for identifier, size in self.drives.items():
            path = directory / f"{identifier}.raw"
            if not path.exists():
                path.touch()
                os.truncate(path, int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]])
