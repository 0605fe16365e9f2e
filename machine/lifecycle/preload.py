"""Imports in a thread: the modules that the next step needs are loaded while a machine is asked something."""

from __future__ import annotations

import threading
from importlib import import_module

CERTIFICATES = "machine.authority"  # brings cryptography: 50 ms
PLANS = "machine.provision.planner"


def load(*modules: str) -> None:
    """Begin to import `modules` in a thread; an `import` of one of them waits for that by itself."""
    threading.Thread(target=_load, args=(modules,), name="imports").start()


def _load(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
