#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual pages tell what there is, and nothing else: every key, term, word, D-Bus member, verb
and option has its paragraph, and every paragraph is about something that the program has."""
from __future__ import annotations

import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

GLYPHS = {r"\-": "-", r"\(aq": "'", r"\(lq": '"', r"\(rq": '"', r"\(->": "->", r"\(rs": "\\",
          r"\(em": "—", r"\&": "", r"\e": "\\"}
problems: list[str] = []


def plain(text: str) -> str:
    text = re.sub(r"\\f(\[\w*\]|\(..|.)", "", text)
    return re.sub("|".join(re.escape(glyph) for glyph in GLYPHS),
                  lambda match: GLYPHS[match[0]], text)


def line_text(line: str) -> str:
    """What a line of the source shows: macros that set fonts joined as troff(1) joins them."""
    macro = re.match(r"\.(B|I|SB|BR|RB|BI|IB|IR|RI)\s+(.*)", line)
    if not macro:
        return "" if line.startswith((".", "'")) else plain(line)
    words = shlex.split(macro[2].replace("\\", "\\\\"), posix=True)
    return plain((" " if macro[1] in ("B", "I", "SB") else "").join(words))


class Page:
    """Paragraphs with tags: (section, subsection, depth, tag, text)."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.items: list[tuple[str, str, int, str, list[str]]] = []
        self.intro: dict[str, str] = {}
        section = subsection = ""
        depth, expects_tag, text = 0, False, []
        for line in path.read_text().splitlines():
            heading = re.match(r'\.(SH|SS)\s+"?(.*?)"?$', line)
            if heading:
                section, subsection = ((plain(heading[2]), "") if heading[1] == "SH"
                                       else (section, plain(heading[2])))
                depth, text = 0, []
            elif line.startswith(".RS"):
                depth += 1
            elif line.startswith(".RE"):
                depth -= 1
            elif line.startswith((".TP", ".TQ")):
                expects_tag = True
            elif expects_tag:
                expects_tag, text = False, []
                for tag in line_text(line).split(", "):
                    self.items.append((section, subsection, depth, tag.strip(), text))
            else:
                text.append(line_text(line))
                if not any(item[0] == section for item in self.items):
                    self.intro[section] = self.intro.get(section, "") + line_text(line) + " "

    def tags(self, section: str, subsection: str | None = None, depth: int = 0) -> list[str]:
        return [item[3] for item in self.items if item[0] == section and item[2] == depth
                and subsection in (None, item[1])]

    def text(self, section: str, subsection: str, tag: str) -> list[str]:
        return next(item[4] for item in self.items if item[:2] == (section, subsection)
                    and item[3] == tag)

    def compare(self, where: str, told: list[str], there: set[str]) -> None:
        for tag in sorted({tag for tag in told if told.count(tag) > 1}):
            problems.append(f"{self.name}: {where}: {tag} stands twice")
        for tag in sorted(there - set(told)):
            problems.append(f"{self.name}: {where}: {tag} is missing")
        for tag in sorted(set(told) - there):
            problems.append(f"{self.name}: {where}: {tag} does not exist")


def words_of(source: Path, table: str) -> set[str]:
    """The texts of a table of words in C."""
    match = re.search(table + r"\[\] = \{(.*?)\n\};", source.read_text(), re.S)
    if not match:
        sys.exit(f"{source}: no table {table}")
    return set(re.findall(r'\] = "([^"]+)"', match[1]))


def check_configuration(page: Page, source: Path) -> None:
    keys = re.findall(r'\[KEY_\w+\] = \{"(\w+)", ([A-Z_ |]+), ',
                      (source / "config/values.c").read_text())
    if len(keys) < 10:
        sys.exit("the table of keys cannot be read")

    def keys_of(section: str) -> set[str]:
        return {f"{name}=" for name, sections in keys if section in sections.split(" | ")}

    def told(section: str) -> list[str]:
        return page.tags(section) + re.findall(r"\b[A-Z]\w+=", page.intro.get(section, ""))

    page.compare("[Defaults]", page.tags("[DEFAULTS] SECTION"), keys_of("IN_DEFAULTS"))
    page.compare("[Claim]", told("[CLAIM NAME] SECTION"), keys_of("IN_CLAIM"))
    page.compare("[PhysicalFunction]", told("[PHYSICALFUNCTION NAME] SECTION"), keys_of("IN_PF"))
    page.compare("terms", page.tags("TERMS"),
                 {f"{word}=" for word in words_of(source / "core/selector.c", "term_words")})


def check_words(page: Page, source: Path) -> None:
    vocabulary = source / "core/vocabulary.c"
    for section, table in (("STATES", "state_words"), ("PROVENANCE", "provenance_words"),
                           ("ROLES", "role_words"), ("REASONS", "reason_words")):
        page.compare(section, page.tags(section), words_of(vocabulary, table))
    switches = set(re.findall(r'"((?:rd\.)?vfio_bindd(?:\.\w+)?)"',
                              (source / "host/kernel-command-line.c").read_text()))
    told = {tag.split("=")[0] for tag in page.tags("KERNEL COMMAND LINE")}
    page.compare("kernel command line", sorted(told), switches)


def check_members(page: Page, interfaces: list[Path]) -> None:
    sections = set()
    for path in interfaces:
        for interface in ElementTree.parse(path).iter("interface"):
            name = interface.get("name")
            sections.add(name)
            methods = {member.get("name"): member for member in interface.iter("method")}
            properties = {member.get("name"): member for member in interface.iter("property")}
            page.compare(f"{name} methods", page.tags(name, "Methods"), set(methods))
            page.compare(f"{name} properties", page.tags(name, "Properties"), set(properties))
            for tag in set(page.tags(name, "Methods")) & set(methods):
                check_method(page, name, methods[tag])
            for tag in set(page.tags(name, "Properties")) & set(properties):
                wanted = properties[tag].get("type")
                told = page.text(name, "Properties", tag)[0].split(": ")[0].rstrip(":.")
                if told != wanted:
                    problems.append(f"{page.name}: {name}.{tag} is {wanted}, not {told}")
    told = {item[0] for item in page.items if item[0].startswith("org.")}
    page.compare("interfaces", sorted(told), sections)


def check_method(page: Page, interface: str, method: ElementTree.Element) -> None:
    def list_of(direction: str) -> str:
        return ", ".join(f'{argument.get("type")} {argument.get("name")}'
                         for argument in method.iter("arg")
                         if argument.get("direction") == direction)

    wanted = f"({list_of('in')})" + (f" -> {list_of('out')}" if list_of("out") else "")
    told = page.text(interface, "Methods", method.get("name"))[0]
    if told != wanted:
        problems.append(f'{page.name}: {interface}.{method.get("name")} is {wanted}, not {told}')


def help_of(program: str, *verb: str) -> str:
    return subprocess.run([program, *verb, "--help"], check=True, capture_output=True,
                          text=True).stdout


def options_of(text: str) -> set[str]:
    return set(re.findall(r"^ +(?:-\w,? +)?(--[a-z-]+)", text, re.M))


def told_options(tags: list[str]) -> list[str]:
    return [match[0] for match in (re.match(r"--[a-z-]+", tag) for tag in tags) if match]


def check_command_line(page: Page, program: str, source: Path) -> None:
    text = help_of(program)
    verbs = set(re.findall(r"^  ([a-z]\S*)", text, re.M))
    page.compare("verbs", [tag.split()[0] for tag in page.tags("VERBS")], verbs)
    options = options_of(text).union(*(options_of(help_of(program, verb)) for verb in verbs))
    page.compare("options", sorted(set(told_options(page.tags("OPTIONS")))), options)
    codes = re.findall(r"EXIT_CODE_\w+ = (\d+)", (source / "ctl/exit-code.h").read_text())
    page.compare("exit codes", page.tags("EXIT STATUS"), set(codes))


def check_programs(page: Page, daemon: str, helper: str) -> None:
    page.compare("options", told_options(page.tags("OPTIONS")), options_of(help_of(daemon)))
    text = help_of(helper)
    commands = text.split("Commands:\n")[1].split("\n\n")[0]
    page.compare("commands", page.tags("COMMANDS"),
                 set(re.findall(r"^  ([a-z]\S*)", commands, re.M)))
    told = {option for item in page.items if item[0] == "COMMANDS"
            for option in re.findall(r"--[a-z-]+", " ".join(item[4]))}
    page.compare("options of the helper", sorted(told),
                 options_of(text) - {"--help", "--version"})


def main() -> int:
    root = Path(sys.argv[1])
    control, daemon, helper = sys.argv[2:5]
    source = root / "src"
    pages = {path.name: Page(path) for path in sorted((root / "man").glob("*.[1-8]"))}
    check_configuration(pages["vfio-bind.conf.5"], source)
    check_words(pages["vfio-bindd.8"], source)
    check_members(pages["org.vfio.Bind1.5"], sorted((root / "conf/dbus").glob("*.xml")))
    check_command_line(pages["vfio-bindctl.1"], control, source)
    check_programs(pages["vfio-bindd.8"], daemon, helper)
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
