"""Importing while waiting: what the next step needs is loaded in a thread while a machine is asked something."""

from __future__ import annotations

import threading
from importlib import import_module

CERTIFICATES = "machine.authority"  # brings cryptography: 50 ms
PLANS = "machine.provision.planner"


def load(*modules: str) -> None:
    """Begin to import `modules`; nobody has to wait for it, an `import` of one of them does that by itself."""
    threading.Thread(target=_load, args=(modules,), name="imports").start()


def _load(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
