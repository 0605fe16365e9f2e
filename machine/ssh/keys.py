"""SSH key pairs: one for logging in, one that the machine shows as its own. ed25519, in OpenSSH's format."""

from __future__ import annotations

from machine import files


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
    """The pair at `path` and `path`.pub, made if it is not complete; the private half is born 0600.

    The public half is written first: a private key on disk therefore means that the pair is complete.
    """
    private, public = files.read(path).decode(), files.read(path + ".pub").decode().strip()
    if private and public:
        return private, public
    private, public = make(comment)
    files.write(path + ".pub", f"{public}\n".encode(), files.PUBLIC)
    files.write(path, private.encode())
    return private, public
