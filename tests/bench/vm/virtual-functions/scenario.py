"""How long 32 virtual functions take to be bound, and what an idle daemon costs."""

import statistics

from rig import topology as hw

TIER = "system"
ENABLE = True
DEADLINE = 1500
TOPOLOGY = [
    hw.Iommu(),
    hw.NvmeSriov("PF", vfs=32),
    hw.NvmeSriov("MORE", vfs=32),
]
FILES = {
    "/etc/vfio-bind.conf": """\
[Claim all]
Match=pf=@PF@

[Claim more]
Match=pf=@MORE@
""",
}

ways = {
    "loop": "C loop, two writes each",
    "ours": "vfio-bindd",
    "helper": "vfio-bindd, daemon stopped",
    "shell": "shell loop",
    "driverctl": "driverctl",
}


def check(boots, report):
    """Prints the medians; the ratio is that of the pairs, round by round."""
    results = boots["boot"]
    rounds = []
    for text in results.infos:
        if text.startswith("round "):
            rounds.append(dict(part.split("=") for part in text.split()[1:]))
    report.true("every round was measured", len(rounds) > 0)
    print(f"\n32 virtual functions, {len(rounds)} rounds, medians: until bound, the write alone")
    for way, title in ways.items():
        pairs = [this for this in rounds if int(this.get(way, 0)) and int(this["loop"])]
        if not pairs:
            continue
        usec = statistics.median(int(this[way]) for this in pairs)
        write = statistics.median(int(this[f"{way}-write"]) for this in pairs)
        ratio = statistics.median(int(this[way]) / int(this["loop"]) for this in pairs)
        print(f"{title:28} {usec / 1000:7.0f} ms {write / 1000:7.0f} ms   {ratio:6.2f} x the loop")
    print("\nIdle daemon:")
    for text in results.infos:
        if text.startswith("idle "):
            print(text.removeprefix("idle "))
    print(flush=True)
