"""Every command that the manual tells its reader to type is one that the program's own parsers take."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from machine.cli.commands import COMMANDS
from machine.cli.global_flags import GlobalFlags, leading
from machine.cli.main import load, parser_of
from machine.cli.swarmd import store_backends
from machine.drivers.registry import TABLE as DRIVERS
from machine.errors import MachineError, UsageError
from machine.store import Store
from machine.swarm.cli import COMMANDS as SWARM_COMMANDS
from machine.swarm.cli import GLOBAL_FLAGS
from machine.swarm.cli_flags import HelpRequested, parse_args
from machine.swarmd.backends.registry import find, split_words
from tests.manual import INLINE, PAGES, ROOT, SCRIPTS, blocks, mentioned, ours, typed, without_blocks
from tests.shell_commands import commands

OTHERS_BACKENDS = ("journal", "team")  # what docs/add-a-backend.md shows how to write
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_can_be_typed(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    wrong = [(words, why) for words in typed(text) if ours(words) and (why := complaint(words, tmp_path))]
    wrong += [
        (words, why)
        for words in mentioned(text)
        if ours(words)
        and (why := complaint(words, tmp_path))
        and not re.search(r" needs an? ", why)  # `machine import` in a sentence
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_for_other_programs_can_be_read(page: Path) -> None:
    for language, body in blocks(page.read_text()):
        if language == "yaml":
            assert isinstance(yaml.safe_load(dedent(body)), dict)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_for_gitlab_runner_are_flags(page: Path, tmp_path: Path) -> None:
    for language, body in blocks(page.read_text()):
        for runner in tomllib.loads(dedent(body)).get("runners", []) if language == "toml" else []:
            machine = runner["machine"]
            flags = [f"--{option}" for option in machine["MachineOptions"]]
            assert complaint(["machine", "create", "--driver", machine["MachineDriver"], *flags, "x"], tmp_path) == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT)))
def test_commands_of_an_example_can_be_typed(script: Path, tmp_path: Path) -> None:
    found = [words for words in commands(script.read_text()) if ours(words)]
    assert found
    assert [(words, why) for words in found if (why := complaint(words, tmp_path))] == []


SENTENCES = [page for page in PAGES if page.name != "swarmd.md"]  # where `create` is a backend


@pytest.mark.parametrize("page", SENTENCES, ids=lambda page: str(page.relative_to(ROOT)))
def test_flags_beside_a_command_in_a_sentence_are_its_own(page: Path, tmp_path: Path) -> None:
    """`rm -f` and `create --resume`, without the program's name."""
    found = [body.split() for body in INLINE.findall(without_blocks(page.read_text()))]
    short = [words for words in found if words[0] in COMMANDS and words not in (["kill", "-9"], ["set", "-e"])]
    short = [words for words in short if not any(word in COMMANDS for word in words[1:])]  # no list of commands
    assert [(words, why) for words in short if (why := flag_complaint(words, tmp_path))] == []


def flag_complaint(words: list[str], directory: Path) -> str:
    """Return what is wrong with the flags of a command, "" if nothing; its names may be missing."""
    why = complaint(["machine", *words], directory)
    return why if "flag" in why else ""


def complaint(words: Sequence[str], directory: Path) -> str:
    """Return what the program would say to a command line, as far as its parsers see it; "" for nothing."""
    arguments = list(words[2:] if words[0] == "docker" else words[1:])
    arguments = [word for word in arguments if not re.fullmatch(r"\[.*|.*\]|\.\.\.", word)]  # [NAME...], ...
    if words[0] in ("swarmd", "machine-swarm"):
        arguments.insert(0, "swarm" if words[0] == "machine-swarm" else "swarmd")
    try:
        check(arguments, directory)
    except MachineError as error:
        return (
            "" if re.search(r"not '[A-Z]+'$|has no flag --[A-Z]+$", error.brief) else error.brief
        )  # a placeholder for a value
    return ""


def check(words: Sequence[str], directory: Path) -> None:
    """Raise UsageError for a command line that no parser takes."""
    flags = GlobalFlags({})
    command, arguments = leading(words, flags)
    if not command or PLACEHOLDER.fullmatch(command):
        return
    module = load(command)
    if command == "swarm":
        check_swarm(arguments)
    elif command == "swarmd":
        check_backends(arguments, directory)
    elif command != "ssh":  # what follows that is for the other program
        arguments = list(without_flags_of_plugins(arguments))
        parser_of(command, module, arguments, {}).read(arguments, flags)


def without_flags_of_plugins(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a create with `none` in the place of a driver that is not here, and without its flags."""
    driver = next((value for flag, value in pairwise(words) if flag in ("-d", "--driver")), "")
    foreign = driver not in DRIVERS
    skip = False
    for word in words:
        if not skip and not (foreign and driver and word.startswith(f"--{driver}-")):
            yield "none" if foreign and driver and word == driver else word
        skip = foreign and bool(driver) and word.startswith(f"--{driver}-") and "=" not in word


def check_swarm(words: Sequence[str]) -> None:
    """Raise UsageError for a command line that `machine swarm` does not take."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        flag = "-" + rest[0] if len(rest[0]) > 2 and not rest[0].startswith("--") else rest[0]
        if flag not in (*GLOBAL_FLAGS, "-D", "-l", "-h", "-v"):
            raise UsageError(f"machine swarm has no flag {rest[0]}")
        del rest[: 2 if flag in ("-l", "--log-level") else 1]
    if rest[:1] == ["help"] or not rest or PLACEHOLDER.fullmatch(rest[0]):
        rest = [word for word in rest[1:] if not PLACEHOLDER.fullmatch(word)]
    if rest and rest[0] not in SWARM_COMMANDS:
        raise UsageError(f"machine swarm has no command {rest[0]}")
    if rest:
        try:
            parse_args(rest[0], rest[1:], SWARM_COMMANDS[rest[0]][1], {})
        except HelpRequested:
            return


def check_backends(specs: Sequence[str], directory: Path) -> None:
    """Raise UsageError for a pipeline of which swarmd does not know a backend, or flags of a machine to be made."""
    extra = store_backends(Store(str(directory)))
    for spec in specs:
        name, *arguments = split_words(spec)
        if name in (*OTHERS_BACKENDS, "--help", "--version") or PLACEHOLDER.fullmatch(name):
            continue
        find(name, extra)
        if name == "aggregate":
            check_backends(arguments, directory)
        if name == "create":
            rest = [word for word in arguments[1:] if word not in ("--rm", "--name")]
            check(["create", "-d", *arguments[:1], *rest], directory)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("machine create --resume dev", ""),
        ("machine sttart dev", "there is no command 'sttart'"),
        ("machine ls --colour", "machine ls has no flag --colour"),
        ("machine create -d azure --azure-sice x dev", "machine create has no flag --azure-sice"),
        ("machine create -d hetzner --hetzner-server-type cx22 dev", ""),
        ("machine create -d hetzner --bogus dev", "machine create has no flag --bogus"),
        ("machine context lst", "there is no command 'lst' of machine context"),
        ("docker machine rmm dev", "there is no command 'rmm'"),
        ("machine swarm manage --strateggy x", "manage has no flag --strateggy"),
        ("machine-swarm lisst x", "machine swarm has no command lisst"),
        ("swarmd 'dockerserver' 'aggregate \"debugg\" \"debug\"'", "there is no backend 'debugg'"),
        ("swarmd 'create qemu --name a --rm --qemu-memry 5'", "machine create has no flag --qemu-memry"),
    ],
)
def test_mistakes_are_seen(line: str, said: str, tmp_path: Path) -> None:
    (words,) = commands(line)
    assert said in complaint(words, tmp_path)
    assert bool(said) == bool(complaint(words, tmp_path))
