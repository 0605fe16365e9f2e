"""A machine's own known_hosts file, in OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

The host field is the machine's name, not its address: `ssh -o HostKeyAlias=NAME` looks it up the same way, so a
new address or port changes nothing. Hashed names (`|1|salt|hash`), which a user's own ssh may have written, are
understood. Nothing here connects anywhere.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from machine import files
from machine.errors import StoreError

_RESOLUTION = "check who owns that file, and that its disk has room; then run the command again"


class Entry(NamedTuple):
    """One key on record: `line` counts from 1, `key` is base64, `revoked` means: never accept it."""

    line: int
    kind: str
    key: str
    revoked: bool


def entries(path: str, alias: str) -> list[Entry]:
    """The keys on record for `alias`; a missing file has none, a line that makes no sense is passed over."""
    found = []
    for number, text in enumerate(_lines(path), 1):
        fields = text.split()
        revoked = fields[:1] == ["@revoked"]
        if revoked:
            del fields[0]
        if len(fields) >= 3 and not fields[0].startswith(("#", "@")) and _names(fields[0], alias):
            found.append(Entry(number, fields[1], fields[2], revoked))
    return found


def add(path: str, alias: str, kind: str, key: str) -> None:
    """Append a key of `alias` (base64) to the file, which is made with mode 0600 if need be."""
    old = _lines(path)
    gap = "\n" if old and not old[-1].endswith("\n") else ""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{gap}{alias} {kind} {key}\n".encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", resolution=_RESOLUTION) from None


def forget(path: str, alias: str) -> int:
    """Remove every key of `alias` (revocations stay); the number of lines removed."""
    removed = {entry.line for entry in entries(path, alias) if not entry.revoked}
    if not removed:
        return 0
    remaining = [text for number, text in enumerate(_lines(path), 1) if number not in removed]
    files.write(path, "".join(remaining).encode("utf-8", "surrogateescape"))
    return len(removed)


def fingerprint(key: str) -> str:
    """A base64 key as ssh shows it: SHA256:..."""
    import base64
    import hashlib

    try:
        blob = base64.b64decode(key)
    except ValueError:
        return "(not a key)"
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _lines(path: str) -> list[str]:
    try:
        lines = files.read_plain(path).splitlines(keepends=True)
        return [line.decode("utf-8", "surrogateescape") for line in lines]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", resolution=_RESOLUTION) from None


def _names(field: str, alias: str) -> bool:
    """Whether a host field (names parted by commas, or one hashed name) means `alias`."""
    if not field.startswith("|1|"):
        return alias.lower() in field.lower().split(",")
    import base64
    import hmac

    try:
        salt, digest = (base64.b64decode(part) for part in field[3:].split("|"))
    except ValueError:
        return False
    # SHA-1 is the file format's, not a choice: it hides names, it protects nothing here.
    return hmac.compare_digest(hmac.new(salt, alias.lower().encode(), "sha1").digest(), digest)
