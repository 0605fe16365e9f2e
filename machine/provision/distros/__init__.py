"""What differs between distributions: one file for each family, and the table of all (table.py)."""

from __future__ import annotations

from machine.provision.distros.table import TABLE, find, find_or_refuse

__all__ = ["TABLE", "find", "find_or_refuse"]
