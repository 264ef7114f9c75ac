#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders under src/ are layers: checks which layer includes which, that no file has outgrown one
subject, and that the core refers to no symbol that reads or writes the world."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BELOW = {
    "util": set(),
    "core": {"util"},
    "config": {"core", "util"},
    "host": {"core", "util"},
    "exec": {"core", "util"},
    "log": {"core", "util"},
    "stage": {"config", "exec", "host", "log", "core", "util"},
    "daemon": {"config", "exec", "host", "log", "core", "util"},
    "bus": {"daemon", "config", "exec", "host", "log", "core", "util"},
    "ctl": {"config", "host", "core", "util"},
}
# single files that may look further than their layer
EXCEPTIONS = {
    ("exec/operations-host.c", "host"),
    ("exec/operations-host.h", "host"),
}
CTL_MAY = {"bus/names.h"}
SYSTEM_OF = {
    "core": re.compile(r"<(systemd/|libudev|libkmod|ini\.h|fcntl|unistd|time|sys/(stat|socket|mount)"
                       r"|syslog|dirent|signal|poll)"),
    "util": re.compile(r"<(systemd/|libudev|libkmod|ini\.h)"),
}
# what a pure core may need from outside itself and util
PURE = re.compile(
    r"^(_?_?(str|mem|w?c?s?n?)[a-z_]*cmp|str\w+|__str\w+|__isoc\w+|mem\w+|__mem\w+_chk|calloc|malloc"
    r"|realloc|reallocarray|free|qsort|bsearch|__ctype_\w+|tolower|toupper|is\w+|reg(comp|exec|free)"
    r"|abort|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__vs?n?printf_chk|va?s?n?printf|s?n?printf"
    r"|__s?n?printf_chk|__(asan|ubsan|sanitizer|sancov)\w*|__assert_fail|__errno_location|strtoul\w*"
    r"|__isoc23_\w+|__tls_get_addr|explicit_bzero)$")
LONGEST = 700


def check_includes(source: Path) -> list[str]:
    problems = []
    for path in sorted(source.rglob("*.[ch]")):
        name = path.relative_to(source).as_posix()
        layer = name.split("/")[0] if "/" in name else None
        text = path.read_text()
        lines = text.splitlines()
        if len(lines) >= LONGEST:
            problems.append(f"{name}: {len(lines)} lines, no file needs {LONGEST}")
        if not lines or "SPDX-License-Identifier: LGPL-2.1-or-later" not in lines[0]:
            problems.append(f"{name}:1: no SPDX line")
        for number, line in enumerate(lines, 1):
            if len(line) > 100:
                problems.append(f"{name}:{number}: {len(line)} columns")
            if layer is None:
                continue
            own = re.match(r'#include "([^"]+)"', line)
            if own:
                target = own.group(1).split("/")[0]
                if "/" not in own.group(1) and own.group(1) != "version.h":
                    problems.append(f"{name}:{number}: include without its layer: {own.group(1)}")
                elif layer == "ctl" and own.group(1) in CTL_MAY:
                    continue
                elif target not in BELOW[layer] | {layer, "version.h"} \
                        and (name, target) not in EXCEPTIONS:
                    problems.append(f"{name}:{number}: {layer}/ may not include {target}/")
            elif layer in SYSTEM_OF and line.startswith("#include <") \
                    and SYSTEM_OF[layer].search(line):
                problems.append(f"{name}:{number}: not in {layer}/: {line}")
    return problems


def check_purity(archives: list[str]) -> list[str]:
    def symbols(archive: str, *options: str) -> set[str]:
        out = subprocess.run(["nm", *options, archive], check=True, capture_output=True, text=True)
        return {line.split()[-1].split("@")[0] for line in out.stdout.splitlines()
                if len(line.split()) >= 2}

    core, util = archives
    own = symbols(core, "--defined-only") | symbols(util, "--defined-only")
    wanted = symbols(core, "--undefined-only")
    impure = {"read_file_at", "read_attribute_at", "write_attribute_at", "now_monotonic",
              "now_realtime", "write_file_atomic_at", "create_file_atomic_at",
              "read_link_name_at"}
    problems = [f"core refers to {name}" for name in sorted(wanted - own) if not PURE.match(name)]
    return problems + [f"core refers to {name} of util" for name in sorted(wanted & impure)]


def main() -> int:
    problems = check_includes(Path(sys.argv[1])) + check_purity(sys.argv[2:4])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
