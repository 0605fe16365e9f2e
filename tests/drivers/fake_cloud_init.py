"""What a cloud's image does at its first boot, done to a lab host: the part of cloud-init that drivers rely on.

User data is read as cloud-init reads it: MIME multi-part by the standard library, cloud-config by a YAML parser.
"""

from __future__ import annotations

import email
import shlex
from typing import Any

import yaml

from tests.labs.nspawn import Host


def parts(user_data: str) -> list[tuple[str, str]]:
    """(kind, text) of every part: "text/cloud-config", "text/x-shellscript"."""
    if user_data.startswith("#cloud-config-archive"):
        return [(part["type"], part["content"]) for part in yaml.safe_load(user_data)]
    if user_data.startswith("#cloud-config"):
        return [("text/cloud-config", user_data)]
    if user_data.startswith("#!"):
        return [("text/x-shellscript", user_data)]
    found = []
    for part in email.message_from_string(user_data).walk():
        payload = part.get_payload(decode=True)
        if not part.is_multipart() and isinstance(payload, bytes):
            found.append((part.get_content_type(), payload.decode()))
    return found


def config(user_data: str) -> dict[str, Any]:
    """All cloud-config parts as one, the last one winning key by key."""
    merged: dict[str, Any] = {}
    for kind, text in parts(user_data):
        if kind == "text/cloud-config":
            merged.update(yaml.safe_load(text) or {})
    return merged


def boot(host: Host, user_data: str, user: str, public_key: str) -> None:
    """The host takes its host key and scripts from the user data, and the user's key from the platform."""
    keys = config(user_data).get("ssh_keys", {})
    if keys:
        (host.root / "etc/ssh/ssh_host_ed25519_key").write_text(keys["ed25519_private"])
        (host.root / "etc/ssh/ssh_host_ed25519_key.pub").write_text(keys["ed25519_public"] + "\n")
        (host.root.parent / "known_hosts").unlink(missing_ok=True)
    home = host.root / ("root" if user == "root" else f"home/{user}") / ".ssh"
    with open(home / "authorized_keys", "a" if user == "root" else "w", encoding="ascii") as file:
        file.write(public_key.strip() + "\n")  # as root the lab logs in too
    for kind, text in parts(user_data):
        if kind == "text/x-shellscript":
            host.run(f"sh -c {shlex.quote(text)}")
