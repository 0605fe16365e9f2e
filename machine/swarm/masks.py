"""URLs of discoveries and services as messages and logs may show them: without passwords and without tokens. Pure."""

from __future__ import annotations

import re

MASK = "*****"  # as everywhere in this program
_USER = re.compile(r"(?<=://)[^/?#\s]*@|^[^/?#\s:@]+:[^/?#\s]*@")  # user and password, up to the last @ before a slash
_AFTER_CLUSTERS = re.compile(r"(?<=/clusters/)[^/?#\s]+")
_QUERY = re.compile(r"[?#].*\Z", re.DOTALL)


def masked(url: str) -> str:
    """`url` with ***** for its user and password, its query, and its token if it has one; cut where it is long.

    Every message of ours that names a URL that somebody gave goes through here.
    """
    shown = _QUERY.sub(f"?{MASK}", _USER.sub(f"{MASK}@", url, count=1))
    scheme, found, rest = shown.partition("://")
    if found and scheme.lower() == "token":
        place, slash, token = rest.rpartition("/")
        shown = f"{scheme}://{place}{slash}{MASK if token else ''}"
    elif re.fullmatch(r"[0-9a-f]{32}", shown):
        shown = MASK
    shown = _AFTER_CLUSTERS.sub(MASK, shown)
    return shown if len(shown) <= 300 else f"{shown[:300]}..."
