"""How a manager finds its engines, by URL: token, nodes (or a bare list), file, etcd, consul."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping

from machine.errors import masked
from machine.swarm import bounded_file
from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import DiscoveryError, DiscoveryUrlError

SCHEMES = ("token", "nodes", "file", "etcd", "consul")
FORMS = {  # how a discovery is written -> what that is
    "token://TOKEN": "a token in this store, or of the service at $MACHINE_DISCOVERY_URL",
    "token://HOST:PORT/v1/TOKEN": "a token of a service",
    "nodes://HOST:PORT,HOST:PORT": "the engines themselves",
    "file:///PATH": "a file with one HOST:PORT on each line",
    "etcd://HOST:PORT/PREFIX": "keys in etcd",
    "consul://HOST:PORT/PREFIX": "keys in consul",
}


def from_url(
    url: str,
    *,
    registry: str = "",
    options: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Discovery:
    """The discovery behind `url`. Raises DiscoveryError if there is none of that kind.

    `registry` is the path of the registry that `token://T` means when neither the URL nor $MACHINE_DISCOVERY_URL names
    a service; `options` are --discovery-opt: kv.path, kv.cacertfile, kv.certfile, kv.keyfile.
    """
    options = dict(options or {})
    scheme, found, location = url.partition("://")
    if not found:
        if re.fullmatch(r"[0-9a-f]{32}", url):
            raise DiscoveryUrlError("a bare token is not a discovery URL; did you mean token://TOKEN?")
        scheme, location = "nodes", url
    if not location:
        raise DiscoveryUrlError(f"{url!r} names nothing: write it as token://TOKEN or nodes://HOST:PORT,HOST:PORT")
    if scheme == "token":
        return _token(location, registry, options, environ)
    if scheme == "nodes":
        from machine.swarm.discovery.fixed import Nodes

        return Nodes(location)
    if scheme == "file":
        from machine.swarm.discovery.fixed import File

        return File(location)
    if scheme == "etcd":
        from machine.swarm.discovery import etcd, keys

        return etcd.Etcd(keys.parse_key_path(location, etcd.PORT, options), tls_of(options))
    if scheme == "consul":
        from machine.swarm.discovery import consul, keys

        return consul.Consul(keys.parse_key_path(location, consul.PORT, options), tls_of(options))
    known = ", ".join(f"{name}://" for name in SCHEMES)
    more = "; of the key-value stores, etcd and consul are supported" if scheme == "zk" else ""
    raise DiscoveryUrlError(f"there is no discovery {scheme[:40]}://; there are {known}{more}")


def tls_of(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS as --discovery-opt kv.cacertfile, kv.certfile and kv.keyfile ask; None when they do not."""
    ca, cert, key = (options.get(f"kv.{name}") for name in ("cacertfile", "certfile", "keyfile"))
    if not (ca or cert or key):
        return None
    try:
        context = ssl.create_default_context(cafile=bounded_file.rereadable_path(ca) if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert:
            context.load_cert_chain(*(bounded_file.rereadable_path(path) for path in (cert, key) if path))
    except (OSError, ssl.SSLError) as error:
        raise DiscoveryError(
            f"the certificates of --discovery-opt cannot be used: {bounded_file.reason(error)}",
            resolution="name PEM files with --discovery-opt kv.cacertfile=PATH, kv.certfile=PATH and kv.keyfile=PATH",
        ) from error
    return context


def _token(location: str, registry: str, options: Mapping[str, str], environ: Mapping[str, str]) -> Discovery:
    from machine.swarm.discovery.token import LocalToken, Token, base_of, naming_variable

    if "://" in location:
        raise DiscoveryUrlError(
            "token:// is followed by another scheme: write token://TOKEN, or token://HOST:PORT/v1/TOKEN for a service"
        )
    host, slash, token = location.rpartition("/")
    if not token:
        raise DiscoveryUrlError(f"{masked(f'token://{location}')} has no token after the last slash")
    if slash:
        first = host.partition("/")[0]
        local = first.partition(":")[0] in ("localhost", "127.0.0.1") or first.startswith(("127.", "[::1]"))
        plain = local and not options.get("kv.cacertfile")
        return Token(base_of(f"{'http' if plain else 'https'}://{host}"), token, tls_of(options))
    if environ.get("MACHINE_DISCOVERY_URL"):
        with naming_variable():
            base = base_of(environ["MACHINE_DISCOVERY_URL"])
        return Token(base, token, tls_of(options), of_variable=True)
    if registry:
        return LocalToken(registry, token)
    raise DiscoveryUrlError(
        "token://TOKEN alone means a service named by $MACHINE_DISCOVERY_URL, or the store's own registry; "
        "here there is neither: write token://HOST:PORT/v1/TOKEN"
    )
