"""A driver's options as flags: which driver is meant, and what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from machine.cli.driver_flags import add_options, driver_from_argv, typed_values
from machine.cli.global_flags import GlobalFlags
from machine.cli.parser import Parser
from machine.drivers.registry import DEFAULT
from machine.errors import UsageError
from machine.options import Option, resolve

OPTIONS = (
    Option("x-size", "int", "X_SIZE", 5, "Size in 100%"),
    Option("x-fast", "bool", "X_FAST", True, "Fast"),
    Option("x-port", "list", "X_PORT", None, "Ports"),
    Option("x-key", "string", "X_KEY", "", "Key", secret=True, key="Key"),
)


@pytest.mark.parametrize(
    ("typed", "environ", "driver"),
    [
        ([], {}, DEFAULT),
        ([], {"MACHINE_DRIVER": "none"}, "none"),
        (["a", "-d", "generic"], {"MACHINE_DRIVER": "none"}, "generic"),
        (["--driver=generic", "a"], {}, "generic"),
        (["-driver", "generic"], {}, "generic"),
        (["-dgeneric"], {}, "generic"),
        (["-dry-run"], {}, DEFAULT),
        (["-d", "none", "-d", "generic"], {}, "generic"),
        (["--", "-d", "generic"], {}, DEFAULT),
        (["-d"], {}, DEFAULT),
    ],
)
def test_which_driver_is_meant(typed: list[str], environ: dict[str, str], driver: str) -> None:
    assert driver_from_argv(Parser("create", "", argv=typed, environ=environ)) == driver


def typed(*argv: str) -> dict[str, Any]:
    parser = Parser("create", "")
    add_options(parser, "x", OPTIONS)
    return typed_values(parser.read(argv, GlobalFlags({})))


def test_only_what_was_typed_is_given() -> None:
    assert typed() == {}
    assert typed("--x-size", "0", "--x-fast=false", "--x-port", "1", "--x-port=2,3") == {
        "x-size": 0,
        "x-fast": False,
        "x-port": ["1", "2,3"],
    }
    assert typed("-x-fast") == {"x-fast": True}
    for wrong in (["--x-size", "many"], ["--x-fast=perhaps"], ["--x-siz", "1"]):
        with pytest.raises(UsageError):
            typed(*wrong)


def test_the_command_line_wins_over_variables() -> None:
    environ = {"X_SIZE": "7", "X_FAST": "true", "X_PORT": "8,9"}
    values = resolve(OPTIONS, typed("--x-fast=false"), environ)
    assert values == {"x-size": 7, "x-fast": False, "x-port": ["8", "9"], "x-key": ""}


def test_the_help_tells_default_variable_and_secrecy() -> None:
    parser = Parser("create", "")
    add_options(parser, "x", OPTIONS)
    text = " ".join(parser.format_help().split())
    assert "flags of the driver x" in text
    assert "Size in 100% [default 5; $X_SIZE]" in text
    assert "secret: not kept in config.json" in text
