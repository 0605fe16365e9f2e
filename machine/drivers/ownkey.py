"""The user's own ssh key, looked at before anything is made with it. Only reads.

For the drivers whose machines may let in a key that the user brings (base.BringsKey): its private half is copied into
the machine's directory, its public half PATH.pub is what the platform is given.
"""

from __future__ import annotations

import os

from machine.errors import PreflightFailed


def check(path: str, flag: str, *, sent: bool, otherwise: str = "") -> None:
    """PreflightFailed when the key at `path` cannot be used; "" for no key of the user's is fine.

    `flag` is the one (with its dashes) that named it. `sent`: the platform gets the public half, so that it has to
    be there; `otherwise` are words for the way to do without, such as "name the account's copy with --x-fingerprint".
    """
    if not path:
        return
    if not os.access(path, os.R_OK) or os.path.isdir(path):
        raise PreflightFailed(
            f"the key {path} cannot be read", resolution=f"give the path of a private key with {flag}"
        )
    if sent and not os.access(f"{path}.pub", os.R_OK):
        raise PreflightFailed(
            f"the public half {path}.pub cannot be read",
            resolution=f"ssh-keygen -y -f {path} > {path}.pub writes it" + (f"; or {otherwise}" if otherwise else ""),
        )
