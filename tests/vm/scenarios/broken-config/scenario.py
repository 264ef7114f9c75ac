"""Every mistake of a configuration is named, costs its own claim and nothing else.

A round is a set of files. The first is there at boot, the others come by reload. In each, claims
with a mistake select a device each; the good claim `rest` selects all devices of that kind and gets
those that no bad claim names.
"""

import dataclasses
import json
import textwrap

from rig import cpio
from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("bookworm",)
ENABLE = True
DEADLINE = 900
TOPOLOGY = [
    hw.Iommu(),
    *(hw.RootSlot(f"D{i}", ("edu",)) for i in range(10)),
    hw.RootSlot("PAIR", ("edu", "pci-testdev")),
    hw.Nvme("MINE"),
    hw.Nvme("BOTH"),
    hw.Nvme("HOSTS"),
]
names = hw.plan(TOPOLOGY).environment()
etc, drop_ins = "/etc/vfio-bind.conf", "/etc/vfio-bind.conf.d"
good = f"""\
[Claim drive]
Match={names['MINE']}
[Claim rest]
Match=id=1234:11e8
"""


@dataclasses.dataclass(frozen=True)
class Mistake:
    """Lines with one mistake at `^`, which is taken out; DEVICE is an address of the round's."""

    lines: str
    words: str  # of the message
    claim: str = ""  # that is out for it, if its name is not to be read from the lines
    reserves: bool = True
    device: str = ""  # another than the next one of the round


# What rest's function 0 would bring along.
companion = Mistake(
    "[Claim companion]\nMatch=DEVICE\n^Frobnicate=1", "unknown key", device=names["PAIR_1"]
)
unmatched = Mistake("[^Claim nothing]\nDriver=auto", "has no Match= line", reserves=False)
# What inih alone would misread, silently.
reading = (
    companion,
    Mistake(
        # Cut by inih, the line's tail would be a line, and take the drive of the host.
        f"[Claim long-line]\nMatch=DEVICE\nNodeUser={'r' * 188}^Match={names['HOSTS']}",
        "longer than 197 bytes",
    ),
    Mistake(f"[^Claim {'n' * 44}]\nMatch=DEVICE", "longer than 49 bytes", "unreadable-1"),
    Mistake(f"[Claim long-key]\nMatch=DEVICE\n^{'K' * 50}=x", "longer than 49 bytes"),
    Mistake("[Claim indented]\nDriver=auto\n^ Match=DEVICE", "indented"),
    Mistake("^[Claim unclosed\nMatch=DEVICE", "never closed"),
    Mistake("[Claim after] ^; a comment\nMatch=DEVICE", "nothing may follow"),
    Mistake("[Claim blank]\nMatch=DEVICE\nNode^ User=root", "blank within a key"),
    Mistake("[Claim colon]\nMatch^:DEVICE expect=1234:11e8", "not ':'"),
    Mistake("[Claim semicolon]\nMatch=DEVICE ^; ours", "comments stand on their own"),
    Mistake("[Claim hash]\nMatch=DEVICE ^# ours", "comments stand on their own"),
)
more_reading = (
    companion,
    Mistake("[Claim nul]\nMatch=DEVICE^\0 more", "NUL"),
    Mistake("[Claim control]\nMatch=DEVICE\nNodeUser=^\x01root", "control character"),
    Mistake("[Claim neither]\nMatch=DEVICE\n^take this one", "neither a [section] nor"),
    Mistake("[Claim no-key]\nMatch=DEVICE\n^=x", "a key is missing"),
    Mistake("[Claim key]\nMatch=DEVICE\n^Drvier=auto", "did you mean 'Driver='"),
    Mistake("[^Clam section]\nMatch=DEVICE", "did you mean '[Claim section]'", "section"),
    Mistake("[Claim ^my gpu]\nMatch=DEVICE", "is no name", "unreadable-1"),
    Mistake("[Claim^]\nMatch=DEVICE", "a name is missing", "unreadable-2"),
    Mistake("[Claim place]\nMatch=DEVICE\n^NumVFs=3", "has no place"),
    Mistake("[Claim again]\nMatch=DEVICE\nDriver=auto\n^Driver=auto", "stands twice"),
    # These name no device.
    Mistake("[^Group x]\nMatch=id=1234:11e8", "unknown section", "-", False),
    unmatched,
)
selectors = (
    companion,
    Mistake("[Claim term]\nMatch=DEVICE ^nmae=x", "did you mean 'name='"),
    Mistake("[Claim twice]\nMatch=DEVICE ^0000:7f:00.0", "stands twice on this line"),
    Mistake("[Claim everything]\nMatch=DEVICE\nMatch=id=^*:*", "matches everything"),
    Mistake("[Claim empty]\nMatch=DEVICE\nMatch=name=^.*", "matches the empty string"),
    Mistake("[Claim pattern]\nMatch=DEVICE\nMatch=name=^(a)\\1", "name="),
    Mistake("[Claim slot]\nMatch=DEVICE\nMatch=address=^01:20.0", "address="),
    Mistake("[Claim quote]\nMatch=DEVICE name=^\"x", "never closed"),
    Mistake("[Claim class]\nMatch=DEVICE\nMatch=class=^12345", "class="),
    Mistake("[Claim bare]\nMatch=DEVICE\nMatch=^bogus", "neither an address nor"),
    Mistake("[Claim driver]\nMatch=DEVICE\nDriver=^vfio_pci", "did you mean 'vfio-pci'"),
)


class Round:
    """Files, and what is to be said about them."""

    def __init__(self, mistakes=()):
        self.files = {f"{drop_ins}/90-good.conf": good}
        self.errors = []  # (file, line, column, words)
        self.claims = {}  # with an error -> address that it reserves, or None
        self.also_reserved = []
        self.unreserved = [names[f"D{i}_0"] for i in range(10)]
        if mistakes:
            self.write(etc, mistakes)

    def write(self, path, mistakes):
        """A file of mistakes."""
        lines, late = [], []
        for mistake in mistakes:
            device = mistake.device
            if mistake.reserves and not device:
                device = self.unreserved.pop(0)
            text = mistake.lines.replace("DEVICE", device)
            claim = mistake.claim or text.replace("^", "").split("]")[0].split()[1]
            for line in text.split("\n"):
                if "^" in line:
                    column = len(line.split("^")[0]) + 1
                    # What only the end of the files shows is told at the end.
                    errors = late if mistake is unmatched else self.errors
                    errors.append((path, len(lines) + 1, column, mistake.words))
                lines.append(line.replace("^", ""))
            if claim != "-":
                self.claims[claim] = device
        self.errors += late
        self.files[path] = "\n".join(lines) + "\n"


def masked(path):
    """A drop-in that would take the host's drive, and has an error, if it were read."""
    return {path: f"[Claim masked]\nMatch={names['HOSTS']}\n[Claim x]\nbogus\n"}


def conflicting():
    """Claims without a mistake that no machine can fulfil together."""
    this = Round()
    this.files[f"{drop_ins}/90-good.conf"] = good + f"Exclude={names['PAIR_0']}\n"
    this.files[etc] = textwrap.dedent(f"""\
        [Claim one]
        Match={names['BOTH']}
        [Claim two]
        Match={names['BOTH']}
        [Claim first]
        Match={names['PAIR_0']}
        NodeMode=0600
        [Claim second]
        Match={names['PAIR_1']}
        """)
    return this


def doubled():
    """The same section twice in one file; a key of [Defaults] that claims use, and do not use."""
    this = Round()
    this.files[etc] = textwrap.dedent(f"""\
        [Defaults]
        NodeMode=0666
        [Claim uses]
        Match={this.unreserved[0]}
        [Claim own]
        Match={names['BOTH']}
        NodeMode=0600
        [Claim double]
        Match={this.unreserved[1]}
        NodeMode=0600
        [Claim double]
        Match={this.unreserved[2]}
        [Claim companion]
        Match={names['PAIR_1']}
        NodeMode=0600
        Frobnicate=1
        """)
    this.files[f"{drop_ins}/90-good.conf"] = good.replace("\n[", "\nNodeMode=0660\n[") + \
        "NodeMode=0660\n"
    this.errors = [
        (etc, 2, 10, "0666"),
        (etc, 11, 2, "stands twice in this file"),
        (etc, 16, 1, "unknown key"),
        (etc, 3, 2, "NodeMode= of [Defaults]"),
    ]
    this.claims = {
        "uses": this.unreserved[0],
        "double": this.unreserved[1],
        "companion": names["PAIR_1"],
    }
    this.also_reserved = [this.unreserved[2]]
    del this.unreserved[:3]
    return this


rounds = {
    "reading": Round(reading),
    "more-reading": Round(more_reading),
    "selectors": Round(selectors),
    "doubled": doubled(),
    "conflicting": conflicting(),
}
rounds["reading"].files |= masked("/usr/lib/vfio-bind.conf.d/50-null.conf")
rounds["reading"].files |= masked("/usr/lib/vfio-bind.conf.d/60-name.conf")
rounds["reading"].files[f"{drop_ins}/60-name.conf"] = "# nothing\n"
rounds["reading"].files |= masked("/usr/lib/vfio-bind.conf")
# The others, and the round of the files that are refused, start from the files of these.
FILES = {
    **{
        path if name == "reading" else f"/rounds/{name}{path}": text
        for name, this in rounds.items()
        for path, text in this.files.items()
    },
    f"{drop_ins}/50-null.conf": cpio.Entry.symlink("/dev/null"),
    "/rounds/good/etc/vfio-bind.conf": good,
}
# What the guest does to a file that is refused -> words of its one error.
refused = {
    "owner": "does not belong to root",
    "group": "others than root can write it",
    "others": "others than root can write it",
    "directory": "no regular file",
    "fifo": "no regular file",
    "loop": "cannot be read",
    "large": "longer than 1048576 bytes",
}


def errors_on_bus(results, name):
    """ConfigurationErrors of a round: (file, line, column, message)."""
    return [tuple(item) for item in json.loads(results.file(f"errors-{name}"))["data"]]


def check_errors(results, report, name, expected):
    """All of them, no others, in the journal too."""
    found = errors_on_bus(results, name)
    report.equal(
        f"{name}: each mistake is named by file, line and column",
        sorted(error[:3] for error in found),
        sorted(error[:3] for error in expected),
    )
    said = {error[:3]: error[3] for error in found}
    mute = [(e, said.get(e[:3])) for e in expected if e[3] not in said.get(e[:3], "")]
    report.equal(f"{name}: by its words", mute, [])
    check_journal(results, report, name, found)


def check_journal(results, report, name, errors):
    """The same is said there."""
    journal = results.file(f"journal-{name}")
    places = [
        f"{file}:{line}:{column}: {message}" if line else f"{file}: {message}"
        for file, line, column, message in errors
    ]
    report.equal(f"{name}: the journal says it", [p for p in places if p not in journal], [])


def check_round(results, report, name):
    """What a round of mistakes costs."""
    this = rounds[name]
    check_errors(results, report, name, this.errors)
    drivers = dict(line.split() for line in results.file(f"drivers-{name}").splitlines())
    reserved = [address for address in this.claims.values() if address] + this.also_reserved
    if "companion" in this.claims:
        reserved.append(names["PAIR_0"])  # its group would be taken whole
    report.equal(
        f"{name}: nothing that a bad claim names is taken",
        {address: drivers[address] for address in reserved},
        dict.fromkeys(reserved, "none"),
    )
    report.equal(
        f"{name}: the good claim has the rest",
        {address: drivers[address] for address in this.unreserved},
        dict.fromkeys(this.unreserved, "vfio-pci"),
    )
    report.equal(f"{name}: the good claim's drive is bound", drivers[names["MINE"]], "vfio-pci")
    report.equal(f"{name}: the host's drive is its own", drivers[names["HOSTS"]], "nvme")
    claims = json.loads(results.file(f"claims-{name}"))
    report.equal(
        f"{name}: the bad claims say so",
        {claim: claims.get(claim) for claim in this.claims},
        dict.fromkeys(this.claims, ["error", "config-error"]),
    )
    report.equal(f"{name}: the good one is bound", claims.get("drive"), ["bound", ""])
    report.equal(f"{name}: nobody else is there", "masked" in claims, False)
    report.equal(f"{name}: degraded", results.info(f"state-{name}"), 's "degraded"')


def check_conflicts(results, report):
    """Two claims for one function, two that disagree about a group."""
    claims = json.loads(results.file("claims-conflicting"))
    report.equal(
        "conflicting: neither has it",
        [claims[c] for c in ("one", "two", "first", "second")],
        [["refused", "claim-conflict"]] * 2 + [["refused", "claims-disagree"]] * 2,
    )
    journal = results.file("journal-conflicting")
    for words in (f"claim one ({etc}:2)", f"claim two ({etc}:4)", "NodeMode="):
        report.true(f"conflicting: the journal says {words}", words in journal, journal)


def check(boots, report):
    """What was said, and who had what."""
    results = boots["boot"]
    for name in rounds:
        check_round(results, report, name)
    check_journal(results, report, "early", errors_on_bus(results, "reading"))
    check_conflicts(results, report)
    out = [(etc, 1, 2, "could not be read"), (etc, 3, 2, "could not be read")]
    for name, words in refused.items():
        check_errors(results, report, name, [(f"{drop_ins}/10-bad.conf", 0, 0, words), *out])
        report.equal(f"{name}: degraded", results.info(f"state-{name}"), 's "degraded"')
    for name in ("garbage", "garbage-start"):
        found = errors_on_bus(results, name)
        report.equal(f"{name}: the first thousand errors are told", len(found), 1000)
        report.true(
            f"{name}: with their places",
            all(e[0] == f"{drop_ins}/10-bad.conf" and e[1] > 0 for e in found[:999]),
        )
        report.equal(f"{name}: degraded", results.info(f"state-{name}"), 's "degraded"')
