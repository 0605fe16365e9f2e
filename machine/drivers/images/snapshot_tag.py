"""What the tag of a machine's snapshot may be: it ends up in command lines, and as a name in a platform's own list."""

from __future__ import annotations

import re

PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_TAG = re.compile(PATTERN)


def is_tag(text: object) -> bool:
    """Return whether this can be the tag of a snapshot."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None
