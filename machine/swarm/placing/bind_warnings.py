"""A word with the answer to a create whose bind mount may show another directory than its user thinks of.

Of a bind mount the client sends a path, and the engine takes its own directory at that path: with many engines that is
one of some host, which is made empty where there is none. Whether a client means a file of its own cannot be known; a
path in somebody's home directory is the sign of it.
"""

from __future__ import annotations

import re
from typing import Any

from machine.swarm.pipeline import ApiError, Reply

_HOMES = re.compile(r"/(home|Users|root|mnt/[a-z])(/|\Z)|[A-Za-z]:[\\/]")
_LONGEST = 200  # characters of a path that are shown
_MOST = 8  # warnings of one create


def warnings(body: dict[str, Any]) -> list[str]:
    """Return a sentence for each bind mount of a create's body whose source is in a home directory."""
    host = body.get("HostConfig")
    if not isinstance(host, dict):
        return []
    binds, mounts = host.get("Binds"), host.get("Mounts")
    # What has no colon but a drive's is a path in the container, for a volume without a name.
    sources = [text[: text.index(":", 2)] for text in _texts(binds) if ":" in text[2:]]
    for mount in mounts if isinstance(mounts, list) else ():
        if isinstance(mount, dict) and str(mount.get("Type", "")).lower() == "bind":
            sources += _texts([mount.get("Source")])
    found = dict.fromkeys(source[:_LONGEST] for source in sources if _HOMES.match(source))
    return [
        f"the bind mount of {source} shows that directory of the engine's host, which is the client's only on a host"
        " that it was shared with (machine share)"
        for source in list(found)[:_MOST]
    ]


async def add(reply: Reply, body: dict[str, Any]) -> Reply:
    """Return the answer to a create with the warnings of its body; another answer as it is."""
    if not reply.ok or not (found := warnings(body)):
        return reply
    try:
        made = await reply.json_body()
    except ApiError:
        return reply
    if not isinstance(made, dict):
        return reply
    return Reply.json({**made, "Warnings": [*_texts(made.get("Warnings")), *found]}, reply.status)


def _texts(found: Any) -> list[str]:
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
