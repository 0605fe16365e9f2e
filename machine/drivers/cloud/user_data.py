"""User data for cloud-init: the ssh host key, and whatever more the user wants, in one text. Only `for_create` reads.

cloud-config, scripts and the other kinds: https://cloudinit.readthedocs.io/en/latest/explanation/format/index.html.
Several parts travel as MIME multi-part. JSON is written where YAML is read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from machine.drivers.cloud.errors import BadUserData, ErrorTable
from machine.errors import reason_of

MIME_BY_PREFIX = (  # how a text begins -> what cloud-init calls it
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config", "text/cloud-config"),
    ("#!", "text/x-shellscript"),
    ("#include", "text/x-include-url"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
)
BOUNDARY = "==machine-part=="


class UnknownKind(ValueError):
    """cloud-init would not know what to do with a text that begins like this."""


HostKey = tuple[str, str]  # (private, public) in OpenSSH's format, both "" to let the machine make its own


def compose(host_key: HostKey, *parts: str) -> str:
    """What to hand to the platform; "" when there is nothing to say.

    `parts` are texts of the user's; ours comes last, so that its keys win. One that brings MIME headers of its own is
    taken along whole. Raises UnknownKind on a part that cloud-init would ignore.
    """
    texts = [part for part in parts if part.strip()]
    private, public = host_key
    if private:
        texts.append(_host_key(private, public))
    if len(texts) < 2:
        for text in texts:
            kind(text)
        return "".join(texts)
    lines = [f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"', "MIME-Version: 1.0", ""]
    for text in texts:
        lines += [f"--{BOUNDARY}", *_part(text), ""]
    return "\n".join([*lines, f"--{BOUNDARY}--", ""])


@dataclass(frozen=True, slots=True)
class UserDataLimits:
    """What one cloud says of user data; `join` makes one text of the host key, the user's file and what we add."""

    cloud: str  # as messages call it
    flag: str  # that names the user's file, with its dashes
    most: int  # bytes
    join: Callable[[HostKey, str, str], str] = compose


def for_create(
    path: str, host_key: HostKey, more: str, rules: UserDataLimits, table: ErrorTable, *, own: str = ""
) -> str:
    """All that cloud-init is told: the host key, the text of the user's file, and `more`.

    If `path` is "", `own` is the user's text. Raises BadUserData if it cannot be used.
    """
    what = f"the user data {path}".rstrip()
    try:
        if path:
            with open(path, encoding="utf-8") as file:
                own = file.read()
        text = rules.join(host_key, own, more)
    except (OSError, ValueError) as error:  # also text that is no UTF-8
        raise table.error(BadUserData, f"{what} cannot be used", reason_of(error)) from None
    if len(text.encode()) > rules.most:
        too_long = f"{what} is too long: {rules.cloud} takes {rules.most} bytes"
        refused = table.error(BadUserData, too_long)
        refused.resolution = f"let it fetch the rest (#include), and name the shorter file with {rules.flag}"
        raise refused
    return text


def kind(text: str) -> str:
    """The MIME type by which cloud-init knows a text. Raises UnknownKind if it knows none for it."""
    for beginning, name in MIME_BY_PREFIX:
        if text.startswith(beginning):
            return name
    if text.lower().startswith(("content-type:", "mime-version:")):
        return "multipart/mixed"
    raise UnknownKind(f"it begins with {text.split(chr(10), 1)[0][:40]!r}, not with #cloud-config or #!")


def _part(text: str) -> list[str]:
    """Headers and body of one part; what is not ASCII goes as base64, which every reader gets right."""
    name = kind(text)
    if name == "multipart/mixed":
        return [text.rstrip("\n")]  # it has its own headers
    header = f'Content-Type: {name}; charset="utf-8"'
    if text.isascii():
        return [header, "Content-Transfer-Encoding: 7bit", "", text.rstrip("\n")]
    return [header, "Content-Transfer-Encoding: base64", "", base64.encodebytes(text.encode()).decode().rstrip("\n")]


def _host_key(private: str, public: str) -> str:
    config = {
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_keys": {"ed25519_private": private, "ed25519_public": public},
        "ssh": {"emit_keys_to_console": False},
    }
    return "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
