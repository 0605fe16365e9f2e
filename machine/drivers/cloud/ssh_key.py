"""The user's own ssh key, looked at before anything is made with it. Only reads.

For the drivers whose machines may let in a key that the user brings (base.ProvidesSshKey): its private half is copied
into the machine's directory, its public half PATH.pub is what the platform is given.
"""

from __future__ import annotations

import base64
import hashlib
import shlex

from machine.errors import PreflightFailed
from machine.ssh import private_key


def check(path: str, flag: str, *, sent: bool, otherwise: str = "") -> None:
    """Raises PreflightFailed if the key at `path` cannot be used; "" for no key of the user's is fine.

    `flag` is the one (with its dashes) that named it. `sent`: the platform gets the public half, so that it has to
    be there; `otherwise` are words for the way to do without, such as "name the account's copy with --x-fingerprint".
    """
    if not path:
        return
    key = _load(path, flag)
    if not sent:
        return
    public = f"{path}.pub"
    quoted = f"{shlex.quote(path)} > {shlex.quote(public)}"
    writes_it = f"ssh-keygen -y -f {quoted} writes it" + (f"; or {otherwise}" if otherwise else "")
    try:
        with open(public, encoding="utf-8", errors="replace") as file:
            words = file.read(private_key.LARGEST).split()
    except OSError:
        raise PreflightFailed(f"the public half {public} cannot be read", resolution=writes_it) from None
    if key.public and words[:2] != key.public.split()[:2]:
        raise PreflightFailed(
            f"{public} is not the public half of {path}",
            details="The machine would let in the one key, and you would log in with the other.",
            resolution=writes_it,
        )


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint by which clouds know a key, of a line of authorized_keys. Raises ValueError for none."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except IndexError:
        raise ValueError(public_key) from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def fingerprint_of(path: str) -> str:
    """The fingerprint of the public half of a private key, "" if that cannot be known or there is no path."""
    public = _load(path, "").public if path else ""
    return fingerprint(public) if public else ""


def _load(path: str, flag: str) -> private_key.PrivateKey:
    try:
        return private_key.load(path)
    except OSError as error:
        raise PreflightFailed(
            f"the key {path} cannot be read: {(error.strerror or str(error)).lower()}",
            resolution=f"give the path of a private key with {flag}",
        ) from None
    except private_key.KeyProblem as problem:
        give = (
            f"{flag} {shlex.quote(problem.instead)}"
            if problem.instead
            else f"give the path of a private key with {flag}"
        )
        what = f"the key {path} cannot be used: it {problem.what}"
        raise PreflightFailed(what, resolution=f"{problem.first}; then {give}" if problem.first else give) from None
