"""Suggestions for a mistyped command or flag. Imported only when something was mistyped."""

from __future__ import annotations

from machine.nearest import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# what other programs call the things that these commands do
ALIASES = {
    "shell": "ssh",
    "login": "ssh",
    "connect": "ssh",
    "exec": "ssh",
    "delete": "rm",
    "remove": "rm",
    "destroy": "rm",
    "terminate": "rm",
    "del": "rm",
    "use": "env",
    "switch": "context use",
    "up": "create, or machine start",
    "add": "create",
    "new": "create",
    "launch": "create",
    "run": "create",
    "init": "create",
    "down": "stop",
    "halt": "stop",
    "poweroff": "stop",
    "shutdown": "stop",
    "suspend": "stop",
    "boot": "start",
    "resume": "create --resume",
    "reboot": "restart",
    "list": "ls",
    "ps": "ls",
    "show": "inspect",
    "describe": "inspect",
    "info": "inspect",
    "state": "status",
    "cp": "scp",
    "copy": "scp",
    "update": "upgrade",
    "images": "image ls",
    "contexts": "context ls",
    "driver": "drivers",
    "plugins": "drivers",
    "reload": "provision",
    "renew": "regenerate-certs",
}


def suggestion(word: str, known: Iterable[str], sentence: str) -> str:
    """Return `sentence` with {} filled by the known word most like `word`; "" if none is like it."""
    found = nearest(word, known)
    return sentence.format(found) if found else ""
