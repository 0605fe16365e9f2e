"""The PEM files by which an engine and this client know each other, and the TLS context made of them."""

from __future__ import annotations

import ssl

from machine import files
from machine.errors import CertificateError


class Tls:
    """The three PEM files by which an engine and this client know each other."""

    __slots__ = ("ca", "cert", "key")

    def __init__(self, ca: str, cert: str, key: str) -> None:
        self.ca, self.cert, self.key = ca, cert, key


_contexts: dict[tuple[bytes, bytes, bytes], ssl.SSLContext] = {}


def context_of(tls: Tls, name: str) -> ssl.SSLContext:
    """A TLS context from three files. Machines of one store have equal copies of them and share one context."""
    resolution = f"machine regenerate-certs {name or 'NAME'}"
    contents = []
    for path in (tls.ca, tls.cert, tls.key):
        try:
            contents.append(files.read_plain(path))
        except OSError as error:
            raise CertificateError(f"cannot read {path}: {error.strerror}", resolution=resolution) from None
    ca, cert, key = contents
    context = _contexts.get((ca, cert, key))
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=ca.decode("ascii", "backslashreplace"))
        except (ssl.SSLError, ValueError):
            raise CertificateError(f"{tls.ca} holds no certificate", resolution=resolution) from None
        try:
            context.load_cert_chain(tls.cert, tls.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise CertificateError(
                f"{tls.cert} and {tls.key} are not a usable pair", details=str(error), resolution=resolution
            ) from None
        _contexts[ca, cert, key] = context
    return context
