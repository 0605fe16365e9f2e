"""Create bodies that this cluster's managers vouch for: what may be made again on another engine, and nothing else.

A container that is to move when its engine fails carries the whole body of its create in a label, signed with a key
that only the managers have. An engine can neither forge such a label nor use another's: what is signed names the
engine, the container and its id in the swarm. HMAC-SHA256: https://www.rfc-editor.org/rfc/rfc2104 .
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import zlib
from dataclasses import dataclass
from typing import Any

from machine.errors import UsageError
from machine.swarm import bounded_file, limits

LABEL = "com.docker.swarm.signed-create"
KEY_FILE = "rescheduling.key"  # in the manager's state directory
KEY_BYTES = 32
_VERSION = 1  # of what is signed


@dataclass(frozen=True, slots=True)
class SignedCreate:
    """One create as a manager asked for it: the body before anything that suits it to one engine."""

    body: dict[str, Any]
    swarm_id: str
    name: str
    engine_id: str
    engine_name: str
    generation: int = 0  # how often it has been moved
    runs: bool = False  # whether it was made in order to be started at once: after a move of a running one
    created_at: float = 0.0  # seconds since 1970, by the manager's clock

    def is_for(self, engine_id: str, engine_name: str, swarm_id: str) -> bool:
        """Whether it was made for that engine, under that id of the swarm."""
        return (self.engine_id, self.engine_name, self.swarm_id) == (engine_id, engine_name, swarm_id)


class Keyring:
    """The managers' key. Two keyrings of the same key accept each other's signatures."""

    def __init__(self, key: bytes = b"", *older: bytes) -> None:
        """Without `key` a new one, which ends with this process. With `older` nothing is signed any more."""
        self._key = key or secrets.token_bytes(KEY_BYTES)
        self._accepted = (self._key, *older)

    def sign(self, create: SignedCreate) -> str:
        """The value of LABEL; "" for a body that is too long to be carried along."""
        said = {
            "version": _VERSION,
            "id": create.swarm_id,
            "name": create.name,
            "engine": [create.engine_id, create.engine_name],
            "generation": create.generation,
            "runs": create.runs,
            "made": create.created_at,
            "body": create.body,
        }
        packed = zlib.compress(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
        label = f"{_text(packed)}.{_text(_seal(self._key, packed))}"
        return label if len(label) <= limits.RESCHEDULE_SIGNED else ""

    def read(self, label: str) -> SignedCreate | None:
        """What a label says; None if none of the keys signed it. The signature is checked before all else."""
        if len(label) > limits.RESCHEDULE_SIGNED:
            return None
        first, _, seal = label.partition(".")
        try:
            packed, sealed = _bytes(first), _bytes(seal)
        except (ValueError, binascii.Error):
            return None
        if not any(hmac.compare_digest(_seal(key, packed), sealed) for key in self._accepted):
            return None
        document = json.loads(zlib.decompress(packed))
        if document.get("version") != _VERSION:
            return None
        engine_id, engine_name = document["engine"]
        return SignedCreate(
            body=document["body"],
            swarm_id=document["id"],
            name=document["name"],
            engine_id=engine_id,
            engine_name=engine_name,
            generation=document["generation"],
            runs=document["runs"],
            created_at=document["made"],
        )


def key_text(key: bytes) -> bytes:
    """The content of a file with the key."""
    return key.hex().encode() + b"\n"


def derived(key: bytes, purpose: str) -> bytes:
    """A key of its own for `purpose`: who has it learns nothing of `key`, nor of what is for another purpose."""
    return hmac.new(key, b"machine swarm key\0" + purpose.encode(), hashlib.sha256).digest()


def load_key(path: str) -> bytes:
    """The key in the file `path`, which is made, 0600, if it is not there. Raises UsageError if it cannot be used."""
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    try:
        _make_key(path)
        return _read_key(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _read_key(path: str) -> bytes:
    try:
        status = os.stat(path)
        key = bytes.fromhex(bounded_file.read(path, limits.RESCHEDULE_KEY_FILE).decode("ascii").strip())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unusable(path, f"it does not hold {KEY_BYTES} bytes in hexadecimal digits") from error
    if len(key) < KEY_BYTES:
        raise _unusable(path, f"it holds less than {KEY_BYTES} bytes in hexadecimal digits")
    if os.name == "posix" and status.st_mode & 0o077:
        raise UsageError(
            f"others may read the key in {path}", resolution=f"chmod 600 {path}; if they have read it, remove it"
        )
    return key


def _make_key(path: str) -> None:
    """Write a new key beside `path` and link it there: of two managers that start at once, the first one's counts."""
    directory = os.path.dirname(path) or "."
    os.makedirs(directory, mode=0o700, exist_ok=True)
    temporary = os.path.join(directory, f".{os.path.basename(path)}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key_text(secrets.token_bytes(KEY_BYTES)).decode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def _unusable(path: str, reason: str) -> UsageError:
    return UsageError(
        f"the key of the cluster cannot be used: {path}: {reason}",
        resolution="name another file with --cluster-opt swarm.key=FILE, or remove this one: a new key is made then",
    )


def _seal(key: bytes, packed: bytes) -> bytes:
    return hmac.new(key, b"machine swarm create\0" + packed, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
