"""The interface on the bus: objects, readers, requests, errors, signals."""

import json
import xml.etree.ElementTree
from pathlib import Path

from rig import topology as hw
from rig.host_devices import record

TIER = "system"
USUAL_GUESTS = ("trixie",)
ENABLE = True
TOOLS = ("vfio-open", "watch-nodes")
DEADLINE = 900
TOPOLOGY = [
    hw.Iommu(),
    hw.Nvme("NVME_A"),
    hw.Nvme("FREE"),
    hw.BridgePair("PAIR"),
    hw.NvmeSriov("PF", vfs=4),
    hw.HotplugPort("SLOT"),
]
FILES = {
    "/etc/modprobe.d/rig.conf": "blacklist e1000\n",
    "/etc/vfio-bind.conf": """\
[Claim drive]
Match=@NVME_A@

[Claim pair]
Match=@PAIR_0@
Companions=all

[Claim plugged]
Match=@SLOT@
NodeUser=nobody
[PhysicalFunction card]
Match=@PF@
""",
    "/var/lib/vfio-bindd/host-devices": record(),
}

bus_name = "org.vfio.Bind1"
root_path = "/org/vfio/Bind1"
kinds = ("Group", "Device", "Claim", "PhysicalFunction", "Manager")
descriptions = Path(__file__).resolve().parents[4] / "conf" / "dbus"
emits_changed = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def interface(text, kind):
    """Members of an interface in introspection data, in a form that can be compared."""
    root = xml.etree.ElementTree.fromstring(text)
    found = root.find(f"interface[@name='{bus_name}.{kind}']")
    if found is None:
        return None
    members = {}
    for method in found.iter("method"):
        members[f"{method.get('name')}()"] = [
            (arg.get("name"), arg.get("type"), arg.get("direction")) for arg in method.iter("arg")
        ]
    for prop in found.iter("property"):
        emits = [a.get("value") for a in prop.iter("annotation") if a.get("name") == emits_changed]
        members[prop.get("name")] = (prop.get("type"), prop.get("access"), emits)
    for signal in found.iter("signal"):
        members[f"{signal.get('name')}!"] = [arg.get("type") for arg in signal.iter("arg")]
    return members


def plain(value):
    """A value without the types of its variants."""
    if isinstance(value, dict):
        if set(value) == {"type", "data"}:
            return plain(value["data"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def objects(text):
    """What GetManagedObjects and the manager said: path -> interface -> property -> value.

    Without the standard interfaces, which every object has and no signal announces.
    """
    listed, manager = (plain(json.loads(line)["data"][0]) for line in text.splitlines())
    for path, interfaces in listed.items():
        listed[path] = {n: p for n, p in interfaces.items() if n.startswith(f"{bus_name}.")}
    return {**listed, root_path: {f"{bus_name}.Manager": manager}}


class Signals:
    """The change signals of one capture, oldest first.

    Those that came after the reply of GetManagedObjects count for the manager alone, whose
    properties were asked for after it.
    """

    def __init__(self, text):
        self.changes = []
        listed = False
        for line in text.splitlines():
            message = json.loads(line)
            listed |= message.get("payload", {}).get("type") == "a{oa{sa{sv}}}"
            if message.get("type") != "signal" or (listed and message["path"] != root_path):
                continue
            arguments = plain(message["payload"]["data"]) if "payload" in message else []
            if listed and message["member"] != "PropertiesChanged":
                continue
            self.changes.append((message["member"], message["path"], arguments, message))

    def replay(self, known):
        """The objects that somebody has who knew those before and listened."""
        known = {path: {name: dict(p) for name, p in i.items()} for path, i in known.items()}
        for member, path, arguments, _ in self.changes:
            if member == "InterfacesAdded":
                known.setdefault(arguments[0], {}).update(
                    {name: dict(properties) for name, properties in arguments[1].items()}
                )
            elif member == "InterfacesRemoved":
                for name in arguments[1]:
                    known[arguments[0]].pop(name)
                if not any(name.startswith(bus_name) for name in known[arguments[0]]):
                    del known[arguments[0]]
            elif member == "PropertiesChanged":
                known[path][arguments[0]].update(arguments[1])
        return known

    def announced(self, kind):
        """(index, path, properties) of what was said about objects of a kind, new ones too."""
        name = f"{bus_name}.{kind}"
        for index, (member, path, arguments, _) in enumerate(self.changes):
            if member == "InterfacesAdded" and name in arguments[1]:
                yield index, arguments[0], arguments[1][name]
            elif member == "PropertiesChanged" and arguments[0] == name:
                yield index, path, arguments[1]

    def state(self, kind, path, state):
        """When this object was said to have reached this state; -1: never."""
        for index, where, properties in self.announced(kind):
            if where == path and properties.get("State") == state:
                return index
        return -1


def listing(signals):
    """A capture in short, for people."""
    return [
        f"{member} {path} {json.dumps(arguments)[:300]}"
        for member, path, arguments, _ in signals.changes
    ]


def check_interfaces(results, report):
    """What busctl introspects is what conf/dbus says."""
    for kind in kinds:
        expected = interface((descriptions / f"{bus_name}.{kind}.xml").read_text(), kind)
        found = interface(results.file(f"xml-{kind}") or "<node/>", kind)
        report.equal(f"introspection of {kind} is as described", found, expected)
    tree, expected = results.file("tree").split(), results.file("tree-expected").split()
    report.equal("busctl tree: what is too much", sorted(set(tree) - set(expected)), [])
    report.equal("busctl tree: what is missing", sorted(set(expected) - set(tree)), [])
    everything = objects(results.file("objects-root"))
    report.equal("alice sees what root sees", objects(results.file("objects-alice")), everything)
    for kind in kinds:
        described = interface((descriptions / f"{bus_name}.{kind}.xml").read_text(), kind)
        names = {name for name in described if not name.endswith(("()", "!"))}
        missing = {
            f"{path} {sorted(names - set(interfaces[f'{bus_name}.{kind}']))}"
            for path, interfaces in everything.items()
            if names != set(interfaces.get(f"{bus_name}.{kind}", names))
        }
        report.equal(f"every {kind} has every property", missing, set())


def check_capture(results, report, name):
    """Whoever listens knows the same as who asks, and what is said late comes late."""
    signals = Signals(results.file(f"signals-{name}"))
    before, after = (objects(results.file(f"{when}-{name}")) for when in ("before", "after"))
    if not signals.changes:
        report.fail(f"{name}: there are signals", "none was captured")
        return signals
    replayed = signals.replay(before)
    wrong = [path for path in {*replayed, *after} if replayed.get(path) != after.get(path)]
    report.equal(f"{name}: the signals lead from the objects before to those after", wrong, [])
    for path in wrong[:3]:
        report.checks[-1].details.append(f"{path}: listened {replayed.get(path)}")
        report.checks[-1].details.append(f"{path}: asked {after.get(path)}")
    report.true(
        f"{name}: PropertiesChanged carries values",
        all(not a[2] for member, _, a, _ in signals.changes if member == "PropertiesChanged"),
    )
    known = {(path, name) for path, interfaces in before.items() for name in interfaces}
    early = []
    for member, path, arguments, _ in signals.changes:
        if member == "InterfacesAdded":
            known |= {(arguments[0], name) for name in arguments[1]}
        elif member == "PropertiesChanged" and (path, arguments[0]) not in known:
            early.append(path)
    report.equal(f"{name}: nothing changes before it was added", early, [])
    check_transactions(report, name, signals)
    if any(check.outcome == "not ok" for check in report.checks):
        report.checks[-1].details.extend(listing(signals))
    return signals


def check_transactions(report, name, signals):
    """Group, device, claim, physical function, manager: each change of state in that order."""
    ranks = [
        kinds.index(kind)
        for member, path, arguments, _ in signals.changes
        if member == "PropertiesChanged"
        and (kind := str(arguments[0]).removeprefix(f"{bus_name}.")) in kinds
    ]
    # Between two transactions the order starts anew; within one it only rises. Each has at most
    # one signal of the manager, which is its last.
    falls = sum(1 for a, b in zip(ranks, ranks[1:], strict=False) if b < a)
    managers = ranks.count(kinds.index("Manager"))
    report.true(
        f"{name}: group, device, claim, manager, in that order",
        falls <= max(managers, 0) + 1,
        f"the order of kinds was {ranks}",
    )


def check_bound(results, report, name, device, claim, user):
    """State=bound comes when all it promises is true."""
    signals = check_capture(results, report, name)
    after = objects(results.file(f"after-{name}"))
    group = after[device][f"{bus_name}.Device"]["Group"]
    in_device = signals.state("Device", device, "bound")
    in_group = signals.state("Group", group, "bound")
    in_claim = signals.state("Claim", claim, "bound")
    report.true(
        f"{name}: bound in the order group, device, claim",
        0 <= in_group < in_device < in_claim,
        f"group at {in_group}, device at {in_device}, claim at {in_claim}",
    )
    counted = [i for i, _, p in signals.announced("Manager") if "NBound" in p]
    report.true(f"{name}: the manager counts it last", bool(counted) and counted[-1] > in_claim)

    number = after[group][f"{bus_name}.Group"]["Number"]
    owners = [line.split() for line in results.file(f"nodes-{name}").splitlines()[1:]]
    owners = [(int(usec), f"{owner} {mode}") for n, usec, owner, mode in owners if n == str(number)]
    report.equal(f"{name}: the node has its owner", results.info(f"node-{name}"), f"{user}:kvm 660")
    final = owners[-1][1] if owners else "none"
    before_that = max((usec for usec, owner in owners if owner != final), default=0)
    changed = min((u for u, owner in owners if owner == final and u >= before_that), default=0)
    if in_device >= 0:
        said = int(signals.changes[in_device][3]["timestamp-realtime"])
        report.true(
            f"{name}: the node was final when the device was said to be bound",
            0 < changed <= said,
            f"the node changed at {changed}, the signal came at {said}: {owners}",
        )
    return signals


def check(boots, report):
    """What the guest has captured."""
    results = boots["boot"]
    check_interfaces(results, report)
    slot = hw.plan(TOPOLOGY).environment()["SLOT"].replace(":", "_").replace(".", "_")
    device, claim = f"{root_path}/device/pci_{slot}", f"{root_path}/claim/plugged"

    plugged = check_bound(results, report, "plugged", device, claim, "nobody")
    added = [a for member, _, a, _ in plugged.changes if member == "InterfacesAdded"]
    report.true(
        "plugged: the device is added with all its properties",
        any(
            a[0] == device and set(a[1].get(f"{bus_name}.Device", {})) == properties_of("Device")
            for a in added
        ),
    )
    groups = [a[0] for a in added if a[0].startswith(f"{root_path}/group/")]
    report.equal("plugged: so is its group", len(groups), 1)
    report.equal(
        "plugged: the additions come first",
        [member for member, _, _, _ in plugged.changes[: len(added)]],
        ["InterfacesAdded"] * len(added),
    )
    check_bound(results, report, "bound", device, claim, "nobody")
    released = check_capture(results, report, "released")
    report.true("released: said", released.state("Device", device, "released") >= 0)
    pulled = check_capture(results, report, "pulled")
    report.true(
        "pulled: the device is removed",
        any(m == "InterfacesRemoved" and a[0] == device for m, _, a, _ in pulled.changes),
    )


def properties_of(kind):
    """Names of the properties that an interface is described to have."""
    described = interface((descriptions / f"{bus_name}.{kind}.xml").read_text(), kind)
    return {name for name in described if not name.endswith(("()", "!"))}
