"""SSH key pairs: one for logging in, one that the machine shows as its own. ed25519, in OpenSSH's format."""

from __future__ import annotations

import os

from machine.errors import StoreError


def make(comment: str) -> tuple[str, str]:
    """A new pair: (private key as OpenSSH PEM, public key as one line ending in `comment`)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {comment}"


def ensure(path: str, comment: str) -> tuple[str, str]:
    """The pair at `path` and `path`.pub, made if it is not there; the private half is born 0600.

    The public half is written first: a private key on disk therefore means that the pair is complete.
    """
    try:
        with open(path, encoding="ascii") as private, open(path + ".pub", encoding="ascii") as public:
            return private.read(), public.read().strip()
    except FileNotFoundError:
        private_text, public_text = make(comment)
    try:
        for target, text in ((path + ".pub", public_text + "\n"), (path, private_text)):
            fd = os.open(target + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(target + ".new", target)
    except OSError as error:
        raise StoreError(f"the key {path} cannot be written: {error.strerror}") from None
    return private_text, public_text
