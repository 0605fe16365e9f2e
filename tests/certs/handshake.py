"""A real TLS handshake between two `ssl` objects in memory; each end checks the other."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import certs


def server_context(pair: certs.Pair, client_ca: bytes) -> ssl.SSLContext:
    """As dockerd --tlsverify: shows `pair`, wants a client certificate of `client_ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, pair)
    context.load_verify_locations(cadata=client_ca.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return strict(context)


def client_context(pair: certs.Pair | None, server_ca: bytes) -> ssl.SSLContext:
    """As the docker client with --tlsverify: wants a server certificate of `server_ca`, shows `pair`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=server_ca.decode())
    if pair is not None:
        _load(context, pair)
    return strict(context)


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """As Python 3.13 does by itself: certificates must follow RFC 5280 to the letter."""
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Shake hands and exchange a line; ssl.SSLError from the end that refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name)
    theirs = server.wrap_bio(up, down, server_side=True)
    waiting = [ours, theirs]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    ours.write(b"ping")
    assert theirs.read(4) == b"ping"


def _load(context: ssl.SSLContext, pair: certs.Pair) -> None:
    """The ssl module takes pairs from files only."""
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Path(directory, "cert.pem"), Path(directory, "key.pem")
        cert.write_bytes(pair.cert)
        key.touch(0o600)
        key.write_bytes(pair.key)
        context.load_cert_chain(cert, key)
