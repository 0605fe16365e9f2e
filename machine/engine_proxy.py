"""The proxies that a machine's engine and package manager are to use: from the environment or a flag. Pure.

They are kept as one text, JSON, beside the machine's other secrets: a URL of a proxy may have a password in it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

from machine.errors import MASK, UsageError, masked

FROM_ENVIRONMENT, OFF = "env", "off"  # what --engine-proxy takes besides a URL
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
NO_PROXY = "NO_PROXY"
SECRET = "EngineProxies"  # noqa: S105 (the key under which they are kept)
LOCAL = ("localhost", "127.0.0.0/8", "::1")  # never by a proxy
_SCHEMES = ("http", "https", "socks5", "socks5h")
_LONGEST = 4096  # characters of a URL, and of a list of hosts

Proxies = Mapping[str, str]  # names of PROXIES and NO_PROXY, in upper case -> value; only those that are set


def check_flag(value: str) -> None:
    """Raise UsageError for a value of --engine-proxy that is neither env, off nor a URL of a proxy."""
    if value not in ("", FROM_ENVIRONMENT, OFF) and not _is_url(value):
        raise UsageError(
            f"--engine-proxy cannot be {MASK if '@' in value else masked(value)!r:.200}",
            resolution="give env (this environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY), off, or a URL such as"
            " http://proxy.example:3128; in a password, # is %23, / %2F and ? %3F",
        )


def wanted(flag: str, environ: Mapping[str, str], *, local: bool) -> tuple[Proxies, Sequence[str]]:
    """Return the proxies that --engine-proxy `flag` means, and warnings; "" for `flag` is what is usual.

    That is this environment's proxies for a machine of this computer (`local`), which has this computer's network, and
    none for any other. NO_PROXY is this environment's also with a URL.
    """
    flag = flag or (FROM_ENVIRONMENT if local else OFF)
    if flag == OFF:
        return {}, ()
    found, warnings = _of_environment(environ)
    if flag != FROM_ENVIRONMENT:
        excepted = {NO_PROXY: found[NO_PROXY]} if NO_PROXY in found else {}
        return {"HTTP_PROXY": flag, "HTTPS_PROXY": flag, **excepted}, ()
    return (found, warnings) if any(name in found for name in PROXIES) else ({}, warnings)


def _of_environment(environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what the environment has; a lower-case name goes before the other, as curl and others have it."""
    found, warnings = {}, []
    for name in (*PROXIES, NO_PROXY):
        value = (environ.get(name.lower()) or environ.get(name) or "").strip()
        if name != NO_PROXY and value and "://" not in value:
            value = f"http://{value}"
        if not value:
            continue
        if _is_text(value) if name == NO_PROXY else _is_url(value):
            found[name] = value
        else:
            warnings.append(f"${name} is no URL of a proxy, so the machine does without it")
    return found, tuple(warnings)


def _is_text(value: str) -> bool:
    return len(value) <= _LONGEST and value.isprintable() and value.isascii()


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return _is_text(value) and not set(value) & set(" \"'\\<>`") and parts.scheme in _SCHEMES and bool(parts.hostname)


def seen_from_machine(proxies: Proxies, gateway: str) -> tuple[Proxies, Sequence[str]]:
    """Return the proxies as a machine reaches them, and the names of those that it cannot reach.

    What listens on this computer's loopback is at `gateway` for a machine of this computer; "": nowhere.
    """
    found, unreachable = {}, []
    for name, value in proxies.items():
        if name == NO_PROXY or not _is_loopback(urlsplit(value).hostname or ""):
            found[name] = value
        elif gateway:
            found[name] = _with_host(value, gateway)
        else:
            unreachable.append(name)
    if not any(name in found for name in PROXIES):
        found = {}
    return found, unreachable


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _with_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    account, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{account}{at}{host}{port}"))


def variables(proxies: Proxies, addresses: Iterable[str], given: Iterable[str] = ()) -> list[str]:
    """Return "K=V" for the engine, in both cases; `given` are those of --engine-env, which count more.

    Neither this machine nor `addresses`, those of the machines around it, are asked for by a proxy.
    """
    taken = {pair.partition("=")[0].upper() for pair in given}
    if not proxies or taken & set(PROXIES):
        return []
    excepted = [*proxies.get(NO_PROXY, "").split(","), *LOCAL, *addresses]
    hosts = ",".join(dict.fromkeys(host.strip() for host in excepted if host.strip()))
    pairs = {**proxies, NO_PROXY: hosts}
    return [
        f"{spelling}={value}" for name, value in pairs.items() if name not in taken for spelling in (name, name.lower())
    ]


def dump(proxies: Proxies) -> str:
    """Return the proxies as the text that is kept, "" for none."""
    return json.dumps(dict(proxies)) if proxies else ""


def load(text: str) -> Proxies:
    """Return the proxies in a text that was kept; what makes no sense in it counts as not there."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    return {
        name: texts[name]
        for name in (*PROXIES, NO_PROXY)
        if name in texts and (_is_text(texts[name]) if name == NO_PROXY else _is_url(texts[name]))
    }


def without_passwords(proxies: Proxies) -> list[str]:
    """Return NAME=URL of each for people, passwords masked."""
    return [f"{name}={masked(value)}" for name, value in proxies.items()]


def passwords(proxies: Proxies) -> list[str]:
    """Return what must be masked wherever it occurs: passwords in the URLs, as they are written there."""
    parts = [urlsplit(value).netloc.rpartition("@")[0] for name, value in proxies.items() if name != NO_PROXY]
    return [account.partition(":")[2] or account for account in parts if account]


def apt_settings(pairs: Iterable[str]) -> bytes:
    """Return apt's configuration for "K=V" of an engine's proxies, b"" for none (apt-transport-http(1))."""
    values = dict(pair.split("=", 1) for pair in pairs)
    lines = [
        f'Acquire::{scheme}::Proxy "{_for_apt(values[name])}";'
        for scheme, name in (("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY"))
        if name in values
    ]
    if not lines:
        return b""
    hosts = [host for host in values.get(NO_PROXY, "").split(",") if _is_host(host)]
    lines += [f'Acquire::{scheme}::Proxy::{host} "DIRECT";' for host in hosts for scheme in ("http", "https")]
    return ("// Written by machine; changes are overwritten by: machine provision\n" + "\n".join(lines) + "\n").encode()


def have_account(pairs: Iterable[str]) -> bool:
    """Return whether a user or password is in the URL of a proxy among "K=V"."""
    values = (pair.partition("=") for pair in pairs)
    return any(name.upper() in PROXIES and "@" in urlsplit(value).netloc for name, _, value in values)


def dnf_settings(pairs: Iterable[str]) -> str:
    """Return lines for section [main] of dnf.conf from "K=V" of an engine's proxies, "" for none (dnf.conf(5)).

    dnf has one proxy for all, and an account beside its URL.
    """
    values = dict(pair.split("=", 1) for pair in pairs)
    url = values.get("HTTPS_PROXY") or values.get("HTTP_PROXY")
    if not url:
        return ""
    parts = urlsplit(url)
    port = parts.port or (1080 if parts.scheme.startswith("socks") else 443 if parts.scheme == "https" else 80)
    place = parts.netloc.rpartition("@")[2]
    address = place if parts.port else f"{place.rstrip(':')}:{port}"
    account = [("proxy_username", parts.username), ("proxy_password", parts.password)]
    found = {name: unquote(value) for name, value in account if value}
    if not all(value.isprintable() for value in found.values()):  # a line end would be the next setting
        return ""
    return "".join(f"{name}={value}\n" for name, value in {"proxy": f"{parts.scheme}://{address}", **found}.items())


def _for_apt(url: str) -> str:
    return url.replace("socks5://", "socks5h://")


def _is_host(text: str) -> bool:
    """Whether it is one host: apt knows neither networks nor domains there."""
    return bool(text) and text[0].isalnum() and all(char.isalnum() or char in "-." for char in text)
