"""Where to listen or dial, and whom to trust there: URLs and TLS flags as Docker spells them."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

from machine.errors import CertificateError, UsageError, masked
from machine.swarm import bounded_file
from machine.swarm.http import hostport
from machine.swarm.http.stream import Stream

PLAIN_PORT, TLS_PORT = 2375, 2376  # IANA's docker and docker-s
# what the docker client calls its files in $DOCKER_CERT_PATH
TLS_FILES = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}


class Address(NamedTuple):
    """A TCP address, or a unix socket if `path` is given."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"tcp://{hostport.join(self.host, self.port)}"

    @property
    def loopback(self) -> bool:
        """Whether only this host can reach it."""
        import ipaddress

        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(text: str, *, default_port: int = PLAIN_PORT, default_host: str = "localhost") -> Address:
    """`tcp://host:port`, `host:port`, `:port`, `unix:///path`. Raises UsageError if it is none."""
    scheme, mark, location = text.partition("://")
    if not mark:
        scheme, location = "tcp", text
    if scheme == "unix" and location:
        return Address(path=location if location.startswith("/") else os.path.abspath(location))
    if scheme not in ("tcp", "http", "https"):
        raise UsageError(f"{masked(text)!r} is no address", resolution="write tcp://HOST:PORT or unix:///PATH")
    location = location.partition("/")[0]
    if "@" in location:
        raise UsageError(
            f"{masked(text)!r} has a user or a password, which Docker's API does not know",
            resolution="write tcp://HOST:PORT; clients are told apart by their certificates",
        )
    host, port = hostport.split(location)
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise UsageError(f"{masked(text)!r} has no sensible port", resolution="write tcp://HOST:PORT")
    return Address(host or default_host, int(port) if port else default_port)


class TlsConfig(NamedTuple):
    """TLS as Docker's flags have it: paths of PEM files; `verify` = only a peer that `ca` vouches for."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True

    def for_client(self) -> ssl.SSLContext:
        """What we dial with. Raises CertificateError if a file does not do."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca:
            self._load("CA", context.load_verify_locations, self.ca)
        else:
            context.load_default_certs()
        if self.cert:
            self._load("client", context.load_cert_chain, self.cert, self.key)
        return context

    def for_server(self) -> ssl.SSLContext:
        """What we listen with; `verify` demands a client certificate. Raises CertificateError if a file does not do."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.cert:
            raise CertificateError(
                "TLS needs a certificate to listen with, and none was found",
                details=f"looked for {TLS_FILES['--tlscert']} in the directory of {self.ca}" if self.ca else "",
                resolution="name PEM files with --tlscert and --tlskey, and with --tlscacert the CA of the clients",
            )
        self._load("server", context.load_cert_chain, self.cert, self.key)
        if self.verify:
            self._load("CA", context.load_verify_locations, self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    @staticmethod
    def _load(kind: str, load: Callable[..., None], *paths: str) -> None:
        named = [path for path in paths if path]
        try:
            load(*map(bounded_file.rereadable_path, named))
        except (OSError, ssl.SSLError) as error:
            absent = [path for path in named if not os.path.exists(path)]  # the error itself names no file
            why = os.strerror(errno.ENOENT) if absent else bounded_file.reason(error)
            raise CertificateError(
                f"the {kind} certificate cannot be used",
                details=f"{' and '.join(absent or named)}: {why}",
                resolution="name PEM files with --tlscacert, --tlscert and --tlskey",
            ) from error


TLS_FLAGS = {"--tls": False, "--tlsverify": False, "--tlscacert": True, "--tlscert": True, "--tlskey": True}


def tls_from_flags(flags: Mapping[str, str], environ: Mapping[str, str]) -> TlsConfig | None:
    """The meaning of --tls, --tlsverify, --tlscacert, --tlscert, --tlskey (values; a switch is "true"); None = no TLS.

    Paths not given are ca.pem, cert.pem, key.pem in $DOCKER_CERT_PATH or ~/.docker, as for the docker client.
    """
    verify = flags.get("--tlsverify") == "true"
    if not verify and flags.get("--tls") != "true" and not any(flags.get(f) for f, value in TLS_FLAGS.items() if value):
        return None
    place = environ.get("DOCKER_CERT_PATH") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".docker")
    path = {flag: flags.get(flag) or os.path.join(place, name) for flag, name in TLS_FILES.items()}
    verify = verify or bool(flags.get("--tlscacert"))
    if flags.get("--tlscert") or flags.get("--tlskey") or os.path.exists(path["--tlscert"]):
        return TlsConfig(path["--tlscacert"], path["--tlscert"], path["--tlskey"], verify)
    return TlsConfig(path["--tlscacert"], "", "", verify)


async def dial(address: Address, tls: ssl.SSLContext | None = None, *, timeout: float = 10.0) -> Stream:
    """A connection, ready to use, within `timeout` seconds.

    Raises OSError (ssl.SSLError, TimeoutError among them) if not.
    """

    def new_stream() -> Stream:
        return Stream(tls, server_name=(address.host or "localhost") if tls else None)

    async def connect() -> Stream:
        loop = asyncio.get_running_loop()
        if address.path:
            _, stream = await loop.create_unix_connection(new_stream, address.path)
        else:
            _, stream = await loop.create_connection(new_stream, address.host, address.port)
        try:
            await stream.handshake()
        except BaseException:
            stream.abort()
            raise
        return stream

    try:
        async with asyncio.timeout(timeout):  # wait_for of Python 3.11 loses a cancellation that comes with the result
            return await connect()
    except TimeoutError as error:
        raise TimeoutError(f"no connection within {timeout:g} s") from error
