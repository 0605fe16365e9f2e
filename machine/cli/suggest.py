"""Suggestions for a mistyped command or flag. Imported only when something was mistyped."""

from __future__ import annotations

from machine.errors import UsageError
from machine.nearest import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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
    "switch": "use",
    "enable": "autostart",
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


def suggestion(typed: str, candidates: Iterable[str], sentence: str) -> str:
    """Return `sentence` with {} filled by the known word most like `typed`; "" if none is like it."""
    found = nearest(typed, candidates)
    return sentence.format(found) if found else ""


def wrong_choice(display_name: str, choices: Sequence[str], text: str) -> UsageError:
    """Return the error for `text` where a flag or an argument takes one of `choices`; the nearest is suggested."""
    return UsageError(
        f"{display_name} must be one of {', '.join(choices)}, not {text!r}",
        resolution=suggestion(text, choices, "did you mean {}?"),
    )
