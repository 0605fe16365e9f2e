"""The pages of the manual, and the commands in them that a reader may type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.shell_commands import commands

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
SCRIPTS = sorted((ROOT / "examples").rglob("*.sh"))
PROGRAMS = ("machine", "docker-machine", "machine-swarm", "swarmd")
FENCED = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^\n|\A)((?:^(?: {4}[^\n]*)?\n)+)", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SHELLS = ("sh", "bash", "shell")
OTHER_TEXTS = ("", "yaml", "text")  # usages, and the files of CI: a command is one line


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each block of code of a page; the language of an indented one is ""."""
    for _, language, body in FENCED.findall(text):
        yield language, body
    for body in INDENTED.findall(FENCED.sub("", text)):
        yield "", body


def without_blocks(text: str) -> str:
    """Return a page without its blocks of code."""
    return INDENTED.sub("\n", FENCED.sub("", text))


def typed(text: str) -> Iterator[list[str]]:
    """Yield the words of every command in the blocks of code of a page."""
    for language, body in blocks(text):
        if language == "console":
            yield from commands("\n".join(re.findall(r"^\s*\$ ((?:[^\n]*\\\n)*[^\n]*)", body, re.MULTILINE)))
        elif language in SHELLS:
            yield from commands(body)
        elif language in OTHER_TEXTS:
            for line in re.sub(r"\\\n *", "", body).splitlines():
                for command in commands(one_line(line)):
                    yield from alternatives(command)


def one_line(line: str) -> str:
    """Return the command in a line of a usage, a list of commands, or a file of YAML: what explains it is cut off."""
    shown = re.sub(r"^\s*(?:- )?(?:run: )?(?:\$ )?", "", line)
    return re.split(r"(?<=\S)\s{3,}", re.sub(r"(?<=[\w-])\|(?=[\w-])", "\N{BROKEN BAR}", shown))[0]


def mentioned(text: str) -> Iterator[list[str]]:
    """Yield the words of every command of ours that stands in backquotes in the prose of a page."""
    for body in INLINE.findall(without_blocks(text)):
        if body.startswith(tuple(f"{program} " for program in PROGRAMS)):
            for command in commands(one_line(body.replace("\\|", "|").replace("\n", " "))):
                yield from alternatives(command)


def alternatives(words: list[str]) -> Iterator[list[str]]:
    """Yield a command as often as its first word with bars between (`ls|rm`) has parts, each with one of them."""
    for place, word in enumerate(words):
        if "\N{BROKEN BAR}" in word and not word.startswith("["):
            for choice in word.split("\N{BROKEN BAR}"):
                yield from alternatives([*words[:place], choice, *words[place + 1 :]])
            return
    yield words


def ours(words: list[str]) -> bool:
    """Return whether a command is one of this program."""
    return words[0] in PROGRAMS or words[:2] == ["docker", "machine"]
