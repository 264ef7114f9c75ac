"""One virtual machine: its process, its wires to the host, its console and its deadline."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import selectors
import socket
import subprocess
import time
from pathlib import Path

from rig import RigError, UnavailableError
from rig.channel import Results
from rig.hardware import CHANNEL_SLOT, ROOT_DISK_2_SLOT, ROOT_DISK_SLOT, Hardware
from rig.qmp import Qmp, QmpError

PROGRAM = "qemu-system-x86_64"
# Five-level page tables and SMAP cost an emulated processor a quarter of its speed.
PROCESSOR = "max,la57=off,smap=off"
# A kernel says something on its console, or the script on its wire, long before that.
LIFE_SECONDS = 180.0
UNPLUG_SECONDS = 30.0
GUEST_IS_DEAD = (b"Kernel panic - not syncing", b"systemd[1]: Freezing execution")
# The kernel changes its own code by way of a breakpoint; now and then QEMU's second processor meets
# one that has been taken away by then. Nothing in a guest can bring that about.
EMULATOR_MISSED_A_PATCH = b"Oops: int3:"
CONSOLE_TAIL_LINES = 25


@dataclasses.dataclass(frozen=True)
class Machine:
    """What to boot, with which hardware."""

    kernel: Path
    initrd: Path
    arguments: str
    hardware: Hardware
    disks: tuple[Path, ...] = ()
    disk_model: str = "virtio-blk-pci"
    memory: str = "1536M"
    processors: int = 2


def require(hardware: Hardware) -> None:
    """Raises UnavailableError unless QEMU has all that the hardware is made of.

    A QEMU that does not work at all is a RigError: nothing would be tested, which must not pass.
    """
    for model, prop in hardware.needs:
        known = _properties(model)
        if known is None:
            raise UnavailableError(f"this QEMU has no {model}")
        if prop and f" {prop}=" not in known:
            raise UnavailableError(f"this QEMU's {model} has no {prop}")


@functools.cache
def _properties(model: str) -> str | None:
    """What QEMU says of a device model; None if it knows none of that name."""
    command = [PROGRAM, "-device", f"{model},help"]
    # The exit status says nothing: it is 0 for an unknown model, too.
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.stdout:
        return result.stdout
    if f"'{model}' not found" in result.stderr:
        return None
    raise RigError(f"{PROGRAM} does not work: {result.stderr.strip()}")


def command_line(machine: Machine, directory: Path, console: str) -> list[str]:
    """QEMU's command line but for the wires, which are open descriptors."""
    command = [
        # QEMU ends with the rig, however that ends.
        *("setpriv", "--pdeathsig", "KILL", "--", PROGRAM),
        *("-M", machine.hardware.machine),
        *("-accel", "tcg,thread=multi"),
        *("-cpu", PROCESSOR),
        *("-smp", str(machine.processors), "-m", machine.memory),
        *("-display", "none", "-nodefaults", "-no-user-config"),
        # Ports are plugged as on real hardware (pciehp), not by ACPI.
        *("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd)),
        *("-append", machine.arguments),
        *("-serial", console),
    ]
    command += _root_disks(machine.disks, machine.disk_model)
    return command + machine.hardware.arguments(directory)


def _root_disks(disks: tuple[Path, ...], model: str) -> list[str]:
    """The disks that the guest is on: the model is one of rig.root_disk."""
    controller = "nvme" if model.startswith("nvme") else model
    slots = (("root", ROOT_DISK_SLOT), ("root2", ROOT_DISK_2_SLOT))
    arguments = []
    for disk, (name, slot) in zip(disks, slots, strict=False):
        path = str(disk).replace(",", ",,")
        device = f"{controller},drive={name},bus=pcie.0,addr={slot:#x}"
        if controller == "nvme":
            device += f",serial={name}"
        if model == "nvme-multifunction":
            device += ",multifunction=on"
        drive = f"if=none,id={name},file={path},format=raw,snapshot=on,cache=unsafe"
        arguments += ["-drive", drive, "-device", device]
    return arguments


class VirtualMachine:
    """A running QEMU. Use as a context manager; its files lie in `directory`."""

    def __init__(self, machine: Machine, directory: Path, interactive: bool = False) -> None:
        self.machine = machine
        self.directory = directory
        self.console = directory / "console.log"
        self.results = Results(directory)
        self.seconds = 0.0
        self._interactive = interactive
        self._wires: dict[str, socket.socket] = {}
        self._requests = b""
        self._console_seen = 0
        self._dead = ""
        self._showed_life = False
        self.emulator_fault = ""  # what ended it, if that was not the guest
        self._boot_noted = False

    def __enter__(self) -> VirtualMachine:
        self.machine.hardware.make_drives(self.directory)
        console = "mon:stdio" if self._interactive else f"file:{self.console}"
        command = command_line(self.machine, self.directory, console)
        remote: list[socket.socket] = []
        for wire in ("qmp", "results", "host"):
            self._wires[wire], other = socket.socketpair()
            remote.append(other)
            command += ["-chardev", f"socket,id={wire},fd={other.fileno()}"]
        slot = f"virtio-serial-pci,id=rig,bus=pcie.0,addr={CHANNEL_SLOT:#x}"
        command += ["-mon", "chardev=qmp,mode=control", "-device", slot]
        for wire in ("results", "host"):
            command += ["-device", f"virtserialport,bus=rig.0,chardev={wire},name=rig.{wire}"]
        (self.directory / "command").write_text("\n".join(command) + "\n")
        with (self.directory / "qemu.log").open("w") as log:
            self._process = subprocess.Popen(
                command,
                stdin=None if self._interactive else subprocess.DEVNULL,
                stdout=None if self._interactive else log,
                stderr=log,
                pass_fds=[other.fileno() for other in remote],
            )
        for other in remote:
            other.close()
        self._started = time.monotonic()
        self._qmp = Qmp(self._wires["qmp"])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for wire in self._wires.values():
            wire.close()
        self.seconds = time.monotonic() - self._started

    def run(self, deadline: float) -> None:
        """Serves the guest until it is done, dead or late (`deadline` in seconds).

        Whatever went wrong is added to the results as a failure.
        """
        try:
            self._qmp.greet()
            self._serve(self._started + deadline, deadline)
        except QmpError:
            self._process.wait(timeout=10)
            self._collect()
            if not (self.results.done or self.results.expects_poweroff):
                self._gave_up("ended early", f"QEMU exited with status {self._process.returncode}")

    def _serve(self, until: float, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            for name, wire in self._wires.items():
                selector.register(wire, selectors.EVENT_READ, name)
            while not self.results.done:
                for key, _ in selector.select(timeout=0.5):
                    self._showed_life |= key.data != "qmp"
                    if key.data == "results":
                        self._take_results()
                    elif key.data == "host":
                        self._take_requests()
                    else:
                        self._qmp.poll()
                self._watch()
                if self._dead:
                    self._gave_up("died", self._dead)
                    return
                if self._interactive:
                    continue
                if not self._showed_life and time.monotonic() > self._started + LIFE_SECONDS:
                    self.emulator_fault = "showed no sign of life"
                    self._gave_up("never lived", f"no word and no console for {LIFE_SECONDS:g} s")
                    return
                if time.monotonic() > until:
                    self._gave_up("hung", f"not done after {deadline:.0f} s")
                    return

    def _take_results(self) -> None:
        """Takes all that is there.

        A guest that announces a reset and asks for it at once has said so on this wire, behind
        the files that it may have sent.
        """
        with contextlib.suppress(BlockingIOError):
            while data := self._wires["results"].recv(65536, socket.MSG_DONTWAIT):
                self.results.feed(data)
        self._note_boot()

    def _note_boot(self) -> None:
        """Once the scenario's script runs: what the boot took, in processor time as well.

        The latter hardly depends on what else this computer does.
        """
        if self._boot_noted or not self.results.infos:
            return
        self._boot_noted = True
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        self.results.infos += [
            f"boot-seconds {time.monotonic() - self._started:.1f}",
            f"boot-processor-seconds {ticks / os.sysconf('SC_CLK_TCK'):.1f}",
        ]

    def _watch(self) -> None:
        """Notices resets nobody announced and a console that tells of death."""
        while self._qmp.take_event("RESET"):
            self._take_results()
            if not (self.results.expects_reset or self._interactive):
                self._dead = "the guest reset itself"
        if self._interactive or not self.console.exists():
            return
        with self.console.open("rb") as console:
            console.seek(self._console_seen)
            text = console.read()
        self._showed_life |= bool(text)
        for line in text.splitlines():
            if EMULATOR_MISSED_A_PATCH in line:
                self.emulator_fault = "met a breakpoint that was gone already"
            if any(sign in line for sign in GUEST_IS_DEAD):
                self._dead = line.decode(errors="replace").strip()
        # The last, unfinished line is read again.
        self._console_seen += text.rfind(b"\n") + 1

    def _collect(self) -> None:
        """Takes what is left on the results wire after QEMU's end."""
        with contextlib.suppress(OSError):
            self._wires["results"].settimeout(1)
            while data := self._wires["results"].recv(65536):
                self.results.feed(data)

    def _gave_up(self, name: str, why: str) -> None:
        details = []
        for log in (self.directory / "qemu.log", self.console):
            if log.exists():
                lines = log.read_text(errors="replace").replace("\r", "").splitlines()
                details += [f"{log.name}: {line}" for line in lines[-CONSOLE_TAIL_LINES:]]
        self.results.fail(f"rig-guest {name}", why, details)

    # --- What the guest asks for -----------------------------------------------------------------

    def _take_requests(self) -> None:
        self._requests += self._wires["host"].recv(65536)
        *lines, self._requests = self._requests.split(b"\n")
        for line in lines:
            reply = self._answer(line.decode(errors="replace").strip())
            self._wires["host"].sendall(reply.replace("\n", " ").encode() + b"\n")

    def _answer(self, request: str) -> str:
        verb, _, rest = request.partition(" ")
        words = rest.split()
        try:
            if verb == "qmp":
                return json.dumps(self._qmp.execute(json.loads(rest)))
            if verb == "wait-event":
                wanted = dict(word.split("=", 1) for word in words[2:])
                event = self._qmp.wait_event(words[0], float(words[1]), wanted)
                return json.dumps(event) if event else "error no such event in time"
            if verb == "plug":
                return self._plug(words[0], words[1], words[2:])
            if verb == "unplug":
                return self._unplug(words[0])
        except (ValueError, IndexError) as error:
            return f"error cannot read {request!r}: {error}"
        return f"error unknown request {verb!r}"

    def _plug(self, slot: str, model: str, properties: list[str]) -> str:
        hardware = self.machine.hardware
        if slot not in hardware.slots:
            return f"error no empty slot is called {slot}"
        arguments = {"driver": model, "id": slot, "bus": hardware.slots[slot]}
        if model == "nvme":
            arguments |= {"drive": f"drive-{slot}", "serial": slot}
        arguments |= dict(word.split("=", 1) for word in properties)
        reply = self._qmp.execute({"execute": "device_add", "arguments": arguments})
        return json.dumps(reply)

    def _unplug(self, name: str) -> str:
        until = time.monotonic() + UNPLUG_SECONDS
        command = {"execute": "device_del", "arguments": {"id": name}}
        # A slot whose card has just come refuses while its power indicator blinks.
        while "error" in (reply := self._qmp.execute(command)):
            if "guest is busy" not in reply["error"]["desc"] or time.monotonic() > until:
                return json.dumps(reply)
            time.sleep(0.25)
        event = self._qmp.wait_event("DEVICE_DELETED", UNPLUG_SECONDS, {"device": name})
        return json.dumps(event) if event else "error the guest did not let go of the device"

    def interact(self) -> None:
        """Serves the guest while a person uses its console."""
        with contextlib.suppress(QmpError, OSError):
            self._qmp.greet()
            while self._process.poll() is None:
                self.results.done = False
                self._serve(float("inf"), 0)
