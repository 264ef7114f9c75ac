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
from collections.abc import Sequence

from rig.hardware import (
    FIRST_PORT_SLOT,
    LAST_PORT_SLOT,
    NIC_SLOT,
    Hardware,
    Port,
    TopologyError,
    address,
)


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
    """The host's own network card (user networking) at 00:04.0.

    PID 1 loads virtio_pci by itself, before any unit; every other model has no driver until udev.
    """

    name: str = "HOST_NIC"
    model: str = "virtio-net-pci"

    def place(self, hardware: Hardware) -> None:
        hardware.networks.append("user,id=host-net")
        where = {"bus": "pcie.0", "addr": hex(NIC_SLOT)}
        hardware.function(self.model, self.name, netdev="host-net", **where)
        hardware.named(self.name, address(0, NIC_SLOT), self.model)


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
