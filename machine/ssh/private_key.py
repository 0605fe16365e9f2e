"""A private ssh key that a user brings: read, judged, and put into the form that ssh, scp and sshd all accept.

OpenSSH's client is stricter than other programs: it refuses a key whose last line has no end, or that has the line ends
of Windows. So a key is normalized before it is kept. Formats: PROTOCOL.key of OpenSSH, and PEM (RFC 7468; PKCS#1,
SEC 1, PKCS#8). Nothing is decrypted here.
"""

from __future__ import annotations

import binascii
import os
import re
import stat

from machine import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 64 * 1024  # bytes; an RSA key of 16384 bits has 13 KB
_COPY = "copy it again, with all its lines"
_MAGIC = b"openssh-key-v1\0"
# not compiled before they are needed: most commands that come by here read no key
_BLOCK = r"(?s)-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n(.*?\n)-----END \1-----\n"
_PUBLIC = r"(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[\w.@-]+ +AAAA|-----BEGIN PUBLIC KEY-|---- BEGIN SSH2 PUBLIC KEY"


class KeyProblem(Exception):
    """A file that is no private key for ssh: `problem` completes "PATH ...".

    `first` is what to do before another file can be given, "" for nothing; `instead` is that one's path, "" if unknown.
    """

    def __init__(self, problem: str, first: str = "", instead: str = "") -> None:
        super().__init__(problem)
        self.what = problem
        self.first = first
        self.instead = instead


class PrivateKey:
    """`text` is the key as ssh reads it; `public` its public half "TYPE BASE64", "" when only a passphrase tells.

    `needs_agent`: the file alone logs nobody in here, for it has a passphrase or stands for a hardware token.
    """

    def __init__(self, text: bytes, public: str, *, encrypted: bool) -> None:
        self.text = text
        self.public = public
        self.encrypted = encrypted
        self.needs_agent = encrypted or public.startswith("sk-")


def load(path: str) -> PrivateKey:
    """The key in a file. Raises KeyProblem if there is none that ssh could use.

    Raises OSError if the file cannot be read.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise KeyProblem("is a directory" if stat.S_ISDIR(found.st_mode) else "is not a plain file")
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise KeyProblem("is too large for an ssh key")
    return parse(data, path)


def parse(data: bytes, path: str) -> PrivateKey:
    """The key in a file's bytes; `path` is for what is advised.

    Raises KeyProblem if there is none that ssh could use.
    """
    text = normalize(data)
    match = re.search(_BLOCK, text)
    if match is None:
        raise _no_block(text, path)
    kind, body = match[1], match[2]
    if kind == "OPENSSH PRIVATE KEY":
        return _openssh(match[0], body)
    if kind == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in body.partition("\n\n")[0]:
        return PrivateKey(match[0].encode(), "", encrypted=True)
    return _pem(match[0])


def repair(path: str) -> None:
    """Put a key of the store into the form that ssh reads, and its mode to what ssh asks for; a good one is left alone.

    What is no key, and a file of somebody else's, is left to ssh's own words. Raises StoreError if it cannot be
    written.
    """
    try:
        found = os.stat(path)
        data = files.read_plain(path, LARGEST)
    except OSError:
        return
    text = normalize(data).encode()
    broken = data != text and re.search(_BLOCK, text.decode()) is not None
    if broken or (found.st_mode & 0o077 and found.st_uid == os.getuid()):
        files.write(path, text if broken else data)


def normalize(data: bytes) -> str:
    """The text without a byte order mark, with Unix line ends, no blanks around lines, and an end of the last line."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # PowerShell's > writes UTF-16
    text = data.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(f"{line.strip()}\n" for line in text.split("\n")).strip("\n") + "\n"


def _no_block(text: str, path: str) -> KeyProblem:
    """Why there is no private key in a text."""
    if not text.strip():
        return KeyProblem("is empty")
    if text.startswith("PuTTY-User-Key-File"):
        new = f"{path.removesuffix('.ppk')}.openssh"
        import shlex  # only an error needs it

        convert = f"puttygen {shlex.quote(path)} -O private-openssh -o {shlex.quote(new)}"
        return KeyProblem("is a key in PuTTY's own format", convert, new)
    if re.match(_PUBLIC, text):
        private = path.removesuffix(".pub")
        return KeyProblem("is a public key, and the private one is needed", "", private if private != path else "")
    if "-----BEGIN CERTIFICATE" in text:
        return KeyProblem("is a certificate")
    if "PRIVATE KEY-----" in text:
        return KeyProblem("is a private key that is cut short or lost its line ends", _COPY)
    return KeyProblem("is not an ssh private key")


def _openssh(text: str, body: str) -> PrivateKey:
    try:
        magic, found, blob = binascii.a2b_base64(body).partition(_MAGIC)
        cipher, rest = _string(blob)
        _, rest = _string(rest)  # the key derivation's name and its options
        _, rest = _string(rest)
        public, rest = _string(rest[4:])  # after the number of keys, which is always 1
        kind, _ = _string(public)
        private, _ = _string(rest)
        kind_text = kind.decode("ascii")
    except (ValueError, binascii.Error) as error:
        raise KeyProblem("is a broken ssh private key", _COPY) from error
    if magic or not found or not private:
        raise KeyProblem("is a broken ssh private key", _COPY)
    half = f"{kind_text} {binascii.b2a_base64(public, newline=False).decode()}"
    return PrivateKey(text.encode(), half, encrypted=cipher != b"none")


def _string(blob: bytes) -> tuple[bytes, bytes]:
    """The length-prefixed string at the start (RFC 4251 section 5), and the rest.

    Raises ValueError if it is cut short.
    """
    length = int.from_bytes(blob[:4], "big")
    if len(blob) < 4 + length:
        raise ValueError("cut short")
    return blob[4 : 4 + length], blob[4 + length :]


def _pem(text: str) -> PrivateKey:
    """A PEM key without a passphrase, rewritten in OpenSSH's format, which every ssh client of today reads."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    public, private = serialization.PublicFormat.OpenSSH, serialization.PrivateFormat.OpenSSH
    try:
        key: Any = serialization.load_pem_private_key(text.encode(), None)
        half = key.public_key().public_bytes(serialization.Encoding.OpenSSH, public).decode()
        written = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        raise KeyProblem("is a private key that ssh cannot use", "make a new one: ssh-keygen -t ed25519") from error
    return PrivateKey(written, half, encrypted=False)
