"""Proxies on the way to packages and scripts: those asked for the engine (--engine-env), else the host's own.

They stand in the script that root's shell reads from its standard input, never in an argument list. Programs differ in
which spelling they read, so both are set.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from machine.provision.steps import Run, Step

NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")

_OF_THE_HOST = f"""\
proxy() {{ # proxy NAME: of /etc/environment, unless it is set already
    upper=$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]')
    eval "value=\\${{$1:-\\${{$upper:-}}}}"
    if [ -z "$value" ] && [ -r /etc/environment ]; then
        value=$(sed -n -E "s/^(export +)?($1|$upper)=//p" /etc/environment | tail -n 1)
        value=$(printf '%s' "$value" | sed -e "s/^[\\"']//" -e "s/[\\"'] *\\$//")
    fi
    [ -z "$value" ] || export "$1=$value" "$upper=$value"
}}
for name in {" ".join(NAMES)}; do
    proxy "$name"
done
"""

# Before sudo, which drops most of a login's environment: what the login has, as lines for root's shell.
OF_THE_LOGIN = f"""\
proxies() {{
    for name in {" ".join((*NAMES, *(name.upper() for name in NAMES)))}; do
        eval "value=\\${{$name:-}}"
        [ -z "$value" ] || printf "export %s='%s'\\n" "$name" "$(printf '%s' "$value" | sed "s/'/'\\\\\\\\''/g")"
    done
}}
"""


def given(env: Iterable[str]) -> dict[str, str]:
    """The proxies among --engine-env's "K=V", by their lower-case names."""
    pairs = (pair.partition("=") for pair in env)
    return {name.lower(): value for name, _, value in pairs if name.lower() in NAMES}


def preamble(env: Iterable[str]) -> str:
    """The shell lines that set the proxies for what comes after them."""
    lines = [
        f"export {name}={shlex.quote(value)} {name.upper()}={shlex.quote(value)}\n"
        for name, value in given(env).items()
    ]
    return "".join(lines) + _OF_THE_HOST


def through(steps: Sequence[Step], env: Iterable[str]) -> list[Step]:
    """The steps, each script of which goes by the proxies."""
    lines = preamble(env)
    return [replace(step, script=lines + step.script) if isinstance(step, Run) else step for step in steps]
