"""One package a platform, the contract of all of them (base.py), and which ones there are (registry.py)."""

from __future__ import annotations

from machine.drivers.registry import DEFAULT, TABLE, find, names, traits_of

__all__ = ["DEFAULT", "TABLE", "find", "names", "traits_of"]
