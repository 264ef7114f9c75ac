#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A manual page is understood by groff(1), and by mandoc(1) where it is installed, without a word
of complaint, and fits on 80 columns."""
from __future__ import annotations

import shutil
import subprocess
import sys

page = sys.argv[1]
run = subprocess.run(["groff", "-man", "-ww", "-K", "utf8", "-T", "utf8", "-P", "-cbou",
                      "-rLL=78n", page], capture_output=True, text=True, encoding="utf-8")
problems = run.stderr.splitlines()
problems += [f"{page}: {len(line)} columns: {line}" for line in run.stdout.splitlines()
             if len(line) > 80]
if run.returncode != 0 or len(run.stdout) < 2000:
    problems.append(f"{page}: groff has no page of it")

if shutil.which("mandoc"):
    run = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True)
    # sources of this project have up to 100 columns
    problems += [line for line in (run.stdout + run.stderr).splitlines()
                 if "input text line longer than 80 bytes" not in line]
else:
    print("mandoc is not installed: groff alone has looked")
print("\n".join(problems), end="\n" if problems else "")
sys.exit(1 if problems else 0)
