"""The proxies for packages and scripts of an installation: those of the engine (--engine-env), else the host's own.

They stand in the script that root's shell reads from its standard input, never in an argument list. Programs differ in
which spelling they read, so both are set.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from machine.provision import script_files
from machine.provision.steps import Run, Step

NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")

_OF_THE_HOST = script_files.read("proxies_of_host", names=" ".join(NAMES))

# Before sudo, which drops most of a login's environment: what the login has, as lines for root's shell.
OF_THE_LOGIN = script_files.read("proxies_of_login", names=" ".join((*NAMES, *(name.upper() for name in NAMES))))


def proxies_of(env: Iterable[str]) -> dict[str, str]:
    """Return the proxies among --engine-env's "K=V", by their lower-case names."""
    pairs = (pair.partition("=") for pair in env)
    return {name.lower(): value for name, _, value in pairs if name.lower() in NAMES}


def preamble(env: Iterable[str]) -> str:
    """Return the shell lines that set the proxies for the script after them."""
    lines = [
        f"export {name}={shlex.quote(value)} {name.upper()}={shlex.quote(value)}\n"
        for name, value in proxies_of(env).items()
    ]
    return "".join(lines) + _OF_THE_HOST


def with_proxies(steps: Sequence[Step], env: Iterable[str]) -> list[Step]:
    """Return the steps with the proxies set in each script."""
    lines = preamble(env)
    return [replace(step, script=lines + step.script) if isinstance(step, Run) else step for step in steps]
