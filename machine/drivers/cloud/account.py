"""The account of a cloud whose API does not tell accounts apart: its token stands for it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


def of_token(token: str, noun: str) -> str:
    """What stands for the account of a token: `noun` (what the cloud calls one), and a digest that tells no token."""
    return f"{noun}-{hashlib.sha256(token.strip().encode()).hexdigest()[:12]}"


def believed(asked: str, recorded: str, shows_machine: Callable[[], bool]) -> str:
    """The account that would be asked: the recorded one also for another token, if that shows the machine."""
    if recorded in ("", asked):
        return asked
    return recorded if shows_machine() else asked
