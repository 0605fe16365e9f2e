"""The program, with a list of the moments at which it can be killed: `python -m tests.killable LOG MOMENT ARG...`.

Every call that leaves a trace (a file written, a program run, a script sent to the machine) is a moment before and
a moment after. They are numbered as they pass and written to LOG, one a line; at the moment
MOMENT (such as "after files.write 2") the process kills itself as `kill -9` would. MOMENT "never" only lists them.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

WATCHED = (
    ("machine.store", "Store", "add"),
    ("machine.store", "Store", "delete"),
    ("machine.files", "", "write"),
    ("machine.process", "", "run"),
    ("machine.process", "", "spawn"),
    ("machine.ssh.client", "SshShell", "run"),
    ("machine.engine", "EngineClient", "post"),
    ("machine.engine", "EngineClient", "delete"),
    ("machine.swarm.discovery.registry", "Registry", "register"),
    ("machine.swarm.discovery.registry", "Registry", "remove"),
)


def watch(log: str, moment: str) -> None:
    """Wrap every watched call."""
    from importlib import import_module

    passed: Counter[str] = Counter()

    def pass_by(when: str, label: str) -> None:
        passed[f"{when} {label}"] += 1
        here = f"{when} {label} {passed[f'{when} {label}']}"
        with open(log, "a", encoding="utf-8") as file:
            file.write(here + "\n")
        if here == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(call: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*args: Any, **named: Any) -> Any:
            pass_by("before", label)
            result = call(*args, **named)
            pass_by("after", label)
            return result

        return wrapped

    for module_name, owner, attribute in WATCHED:
        module = import_module(module_name)
        target = getattr(module, owner) if owner else module
        label = f"{owner or module_name.rpartition('.')[2]}.{attribute}"
        setattr(target, attribute, wrap(getattr(target, attribute), label))


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2])
    from machine.cli import main

    sys.exit(main(sys.argv[3:]))
