"""The names that a server certificate carries: IP addresses and DNS names, told apart by parsing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509

from certs.errors import NameNotAllowed

# A DNS label (RFC 1123, with the underscore that private networks use) of at most 63 characters.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
LONGEST = 253  # of a DNS name in text, RFC 1035


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """`names` as subject alternative names: in their order, each once.

    Raises NameNotAllowed for what is neither kind.
    """
    unique: dict[tuple[str, str], x509.GeneralName] = {}
    for text in names:
        name = _general_name(text)
        unique.setdefault((type(name).__name__, str(name.value).lower()), name)
    return list(unique.values())


def is_name(text: str) -> bool:
    """Whether a certificate can carry `text`."""
    try:
        _general_name(text)
    except NameNotAllowed:
        return False
    return True


def names_to_text(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    """The DNS names and addresses among `names`, as text; addresses in their shortest spelling."""
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def normal(text: str) -> str:
    """One spelling per name, for comparing: lower case, ASCII, shortest form of an address."""
    return str(_general_name(text).value).lower()


def _general_name(text: str) -> x509.GeneralName:
    """An address (IPv6 also in brackets or with a zone, which is dropped) or a DNS name (also `*.name`)."""
    bare = text.strip()
    inner = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
    try:
        return x509.IPAddress(ipaddress.ip_address(inner.partition("%")[0]))
    except ValueError:
        return x509.DNSName(_dns_name(text, bare))


def _dns_name(text: str, bare: str) -> str:
    """`bare` in ASCII (IDNA for other scripts), without the final dot of a full name."""
    try:
        name = bare if bare.isascii() else bare.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    name = name.removesuffix(".")
    labels = name.removeprefix("*.").split(".")
    if len(name) > LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise NameNotAllowed(f"{text!r} is neither an IP address nor a DNS name")
    return name
