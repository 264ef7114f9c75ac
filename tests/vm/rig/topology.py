"""The vocabulary of emulated hardware, and its translation into QEMU arguments and PCI addresses.

A scenario lists parts; each has a NAME by which guest scripts and configuration files know its
address. Addresses are foretold, not read back, and hold on every boot:

* root ports stand at 00:10.0, 00:11.0 … in the order of the list (or of `port=`, counted from 1),
  and get bus numbers in that order, one each, two where a part has a bridge of its own;
* endpoints of bus 0 stand at 00:05.0, 00:06.0 …;
* 00:02.0 is the guest's disk, 00:03.0 the rig's own channel, 00:04.0 the host's network card.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

ROOT_DISK_SLOT = 0x02
CHANNEL_SLOT = 0x03
NIC_SLOT = 0x04
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


class TopologyError(Exception):
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
        return {**self.addresses, **self.facts}

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of hardware. Those on a root port take the next free one unless `port` names it."""

    def settings(self, hardware: Hardware) -> None:
        """What has to stand before all devices."""

    def place(self, hardware: Hardware) -> None:
        """Adds what is on bus 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PortPart(Part):
    """A piece of hardware behind a root port of its own."""

    port: int | None = None

    def buses_behind(self) -> int:
        """How many buses it adds behind the port's own."""
        return 0

    def port_properties(self) -> dict[str, object]:
        """Properties of the root port."""
        return {}

    def plug(self, hardware: Hardware, port: Port) -> None:
        """Adds what is behind the port."""


@dataclasses.dataclass(frozen=True)
class Iommu(Part):
    """An emulated Intel IOMMU; without it the guest has no IOMMU groups."""

    def settings(self, hardware: Hardware) -> None:
        hardware.machine = "q35,kernel-irqchip=split"
        hardware.add("intel-iommu", intremap="on")


@dataclasses.dataclass(frozen=True)
class Nvme(PortPart):
    """An NVMe drive behind its own root port; two of them are twins in all but address."""

    name: str
    serial: str = ""
    size: str = "64M"

    def plug(self, hardware: Hardware, port: Port) -> None:
        drive = hardware.drive(self.name, self.size)
        hardware.add(
            "nvme",
            self.name,
            bus=port.identifier,
            serial=self.serial or self.name,
            drive=drive,
        )
        hardware.named(self.name, address(port.bus, 0), "nvme")


@dataclasses.dataclass(frozen=True)
class NvmeSriov(PortPart):
    """An NVMe controller that can have VFs. They appear at devfn 1, 2, 3 … of its bus."""

    name: str
    vfs: int = 32
    serial: str = ""

    def plug(self, hardware: Hardware, port: Port) -> None:
        subsystem = f"subsystem-{self.name}"
        hardware.add("nvme-subsys", subsystem)
        hardware.add(
            "nvme",
            self.name,
            bus=port.identifier,
            serial=self.serial or self.name,
            subsys=subsystem,
            sriov_max_vfs=self.vfs,
            sriov_vq_flexible=2 * self.vfs,
            sriov_vi_flexible=self.vfs,
            max_ioqpairs=2 * self.vfs + 2,
            msix_qsize=self.vfs + 1,
        )
        hardware.need("nvme", "sriov_max_vfs")
        hardware.named(self.name, address(port.bus, 0), "nvme")
        hardware.facts[f"{self.name}_VFS"] = str(self.vfs)
        for index in range(self.vfs):
            slot, function = divmod(1 + index, 8)
            hardware.facts[f"{self.name}_VF{index}"] = address(port.bus, slot, function)


@dataclasses.dataclass(frozen=True)
class Endpoint(PortPart):
    """Any one PCIe endpoint behind its own root port."""

    name: str
    model: str = "e1000e"
    properties: dict[str, object] = dataclasses.field(default_factory=dict)

    def plug(self, hardware: Hardware, port: Port) -> None:
        hardware.function(self.model, self.name, bus=port.identifier, **self.properties)
        hardware.named(self.name, address(port.bus, 0), self.model)


@dataclasses.dataclass(frozen=True)
class Multifunction(PortPart):
    """Several functions in one slot behind one root port: one IOMMU group.

    They are NAME_0, NAME_1 …
    """

    name: str
    models: Sequence[str] = ("nvme", "e1000e")

    def plug(self, hardware: Hardware, port: Port) -> None:
        _slot_of(hardware, self.name, self.models, port.identifier, port.bus, 0)


@dataclasses.dataclass(frozen=True)
class RootSlot(Part):
    """Several functions in one slot of bus 0, NAME_0, NAME_1 …: one IOMMU group."""

    name: str
    models: Sequence[str] = ("edu", "pci-testdev")

    def place(self, hardware: Hardware) -> None:
        _slot_of(hardware, self.name, self.models, "pcie.0", 0, hardware.take_endpoint_slot())


@dataclasses.dataclass(frozen=True)
class BridgePair(PortPart):
    """A PCI bridge with conventional network cards behind it: one IOMMU group of all.

    The bridge is NAME_BRIDGE, the cards are NAME_0, NAME_1 … It has no driver; as pcie-pci-bridge
    it gets shpchp, which Debian's kernels have built in and which holds the group for the host.
    """

    name: str
    models: Sequence[str] = ("e1000", "e1000")
    bridge: str = "i82801b11-bridge"

    def buses_behind(self) -> int:
        return 1

    def plug(self, hardware: Hardware, port: Port) -> None:
        bridge = f"{self.name}_BRIDGE"
        hardware.add(self.bridge, bridge, bus=port.identifier)
        hardware.named(bridge, address(port.bus, 0), self.bridge)
        for index, model in enumerate(self.models):
            name = f"{self.name}_{index}"
            hardware.function(model, name, bus=bridge, addr=f"{index + 1:x}.0")
            hardware.named(name, address(port.bus + 1, index + 1), model)


@dataclasses.dataclass(frozen=True)
class HotplugPort(PortPart):
    """An empty slot; NAME is the address of what gets plugged in (see hotplug_add)."""

    name: str
    drive: str = "64M"

    def plug(self, hardware: Hardware, port: Port) -> None:
        hardware.drive(self.name, self.drive)
        hardware.slots[self.name] = port.identifier
        hardware.named(self.name, address(port.bus, 0))


@dataclasses.dataclass(frozen=True)
class ExtraRoot(Part):
    """A second root bus (pxb-pcie): number `bus`, the parts behind it at bus+1, bus+2 …"""

    name: str
    bus: int = 0x40
    parts: Sequence[PortPart] = ()

    def place(self, hardware: Hardware) -> None:
        slot = hardware.take_endpoint_slot()
        hardware.add("pxb-pcie", self.name, bus="pcie.0", addr=hex(slot), bus_nr=self.bus)
        _place_ports(hardware, self.parts, self.name, self.bus, first_slot=0)


@dataclasses.dataclass(frozen=True)
class HostNic(Part):
    """The host's own network card (virtio, user networking) at 00:04.0."""

    name: str = "HOST_NIC"

    def place(self, hardware: Hardware) -> None:
        hardware.networks.append("user,id=host-net")
        where = {"bus": "pcie.0", "addr": hex(NIC_SLOT)}
        hardware.function("virtio-net-pci", self.name, netdev="host-net", **where)
        hardware.named(self.name, address(0, NIC_SLOT), "virtio-net-pci")


@dataclasses.dataclass(frozen=True)
class Raw(Part):
    """A QEMU -device argument as it is, for what the vocabulary lacks."""

    device: str
    name: str = ""
    where: str = ""

    def place(self, hardware: Hardware) -> None:
        hardware.devices.append(self.device)
        hardware.need(self.device.split(",")[0])
        if self.name:
            hardware.named(self.name, self.where)


def plan(parts: Sequence[Part]) -> Hardware:
    """Translates a list of parts.

    Raises TopologyError.
    """
    hardware = Hardware()
    for part in parts:
        part.settings(hardware)
    for part in parts:
        part.place(hardware)
    ports = [part for part in parts if isinstance(part, PortPart)]
    _place_ports(hardware, ports, "pcie.0", 0, FIRST_PORT_SLOT)
    return hardware


def _slot_of(
    hardware: Hardware, name: str, models: Sequence[str], parent: str, bus: int, slot: int
) -> None:
    # Function 0 last: the slot is complete when the firmware looks at it.
    for index, model in reversed(list(enumerate(models))):
        function = f"{name}_{index}"
        extra = {"multifunction": "on"} if index == 0 else {}
        hardware.function(model, function, bus=parent, addr=f"{slot:x}.{index}", **extra)
    for index, model in enumerate(models):
        hardware.named(f"{name}_{index}", address(bus, slot, index), model)


def _place_ports(
    hardware: Hardware, parts: Sequence[PortPart], parent: str, root_bus: int, first_slot: int
) -> None:
    chosen = {part.port for part in parts if part.port is not None}
    if len(chosen) != sum(part.port is not None for part in parts):
        raise TopologyError("two parts on one port")
    free = (number for number in range(1, 32) if number not in chosen)
    numbered = {part.port or next(free): part for part in parts}
    bus = root_bus
    for number in sorted(numbered):
        part = numbered[number]
        slot = first_slot + number - 1
        if slot > LAST_PORT_SLOT:
            raise TopologyError(f"no root port {number}")
        bus += 1
        port = Port(f"{parent}-port{number}", bus)
        unique = (root_bus << 5) + number
        hardware.add(
            "pcie-root-port",
            port.identifier,
            bus=parent,
            addr=hex(slot),
            chassis=unique & 0xFF,
            slot=unique,
        )
        part.plug(hardware, port)
        name = getattr(part, "name", "")
        hardware.named(f"{name}_PORT", address(root_bus, slot), "pcie-root-port")
        bus += part.buses_behind()
