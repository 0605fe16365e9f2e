"""What the real VBoxManage 7.2.22 has printed: 194 commands by hand, those of a whole life of this driver, leases, and
snapshots with their disks.

All were recorded on a host without VirtualBox's kernel modules, so startvm fails in them. For the leases the file of
VirtualBox's DHCP server, which `dhcpserver findlease` reads, was written by hand (test_real.py does it again).
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Transcript:
    """One command (without the program) and what came of it."""

    words: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str


@cache
def every() -> tuple[Transcript, ...]:
    """All of them, in order."""
    found: list[dict[str, Any]] = []
    for path in sorted(DATA.glob("*.json.gz"), reverse=True):  # by hand first
        found += json.loads(gzip.decompress(path.read_bytes()))
    return tuple(Transcript(tuple(each["argv"][1:]), each["rc"], each["stdout"], each["stderr"]) for each in found)


def first(*words: str, rc: int = 0, text: str = "") -> Transcript:
    """The first that begins with those words (None of them: "*"), ended with `rc` and has `text` in its output."""
    for each in every():
        same = all(want in ("*", have) for want, have in zip(words, each.words, strict=False))
        if same and len(each.words) >= len(words) and each.rc == rc and text in each.stdout + each.stderr:
            return each
    raise LookupError(f"nothing was recorded for {words} with {rc} and {text!r}")
