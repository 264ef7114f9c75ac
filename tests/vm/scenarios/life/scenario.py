"""The life of a device told through vfio-bindctl alone, as root and as an ordinary user."""

import json

from rig import topology as hw

TIER = "system"
USUAL_GUESTS = ("bookworm",)
TOPOLOGY = [hw.Iommu(), hw.Nvme("MINE"), hw.Nvme("HOSTS"), hw.HostNic()]
DEADLINE = 900


def check(boots, report):
    boot = boots["boot"]
    whole = boot.file("monitor.json").rpartition("\n")[0]  # it is ended by a signal
    events = [json.loads(line) for line in whole.splitlines()]
    report.true("monitor: what is there comes first",
                bool(events) and events[0]["Event"] == "current")
    states = [event["Device"]["State"] for event in events
              if event["Event"] == "changed" and event["Device"]
              and event["Device"]["Address"] == boot.info("mine")]
    report.true(f"monitor: given back, then bound: {states}",
                "released" in states and states[-1:] == ["bound"])
