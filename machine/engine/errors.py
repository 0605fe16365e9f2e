"""Why an engine gave no answer, in words: a socket's or TLS's exception becomes an EngineError with advice."""

from __future__ import annotations

import socket
import ssl

from machine.engine.response import NotHttp
from machine.errors import EngineError, EngineTimeout, EngineUntrusted, reason_of

_EXPIRED, _NOT_YET = 10, 9  # OpenSSL's X509_V_ERR_* (openssl-verification-options(1))
_OTHER_NAME = (62, 64)  # host name and IP address mismatch
_CLOSED = "Docker may be starting just now; an engine may also treat a client certificate like this."

_PHASES = {
    "resolve": "the host name was not resolved in that time",
    "connect": "no answer to the connection: the machine is down, or a firewall drops the packets",
    "handshake": "the connection is open, the TLS handshake did not end",
    "answer": "the connection is open, the engine did not answer",
}


def explain(error: Exception, phase: str, *, url: str, name: str, timeout: float) -> EngineError:
    """The error to raise for `error`, met in `phase` of a request to `url`; `name` is the machine's, or ""."""
    machine = name or "NAME"
    if isinstance(error, ssl.SSLError):
        return _tls(error, phase, url, machine)
    if isinstance(error, NotHttp):
        return EngineError(
            f"what answers at {url} is not a Docker Engine", details=str(error), resolution=check_address(machine)
        )
    if isinstance(error, TimeoutError):
        return EngineTimeout(
            f"the engine at {url} did not answer within {timeout:g} s",
            details=_PHASES[phase],
            resolution=f"run this again, for it may only be busy; machine status {machine} shows its state",
        )
    return _socket(error, phase, url, machine)


def _socket(error: Exception, phase: str, url: str, machine: str) -> EngineError:
    if isinstance(error, ConnectionRefusedError):
        return EngineError(
            f"nothing listens at {url}",
            details="The machine is up and its engine is not.",
            resolution=f"machine provision {machine}",
        )
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return EngineError(
            f"the engine at {url} closed the connection during the {phase}",
            details=_CLOSED,
            resolution=f"wait some seconds and run this again; if it stays: machine provision {machine}",
        )
    if isinstance(error, socket.gaierror):
        return EngineError(
            f"the host name in {url} is unknown", details=error.strerror or "", resolution=check_address(machine)
        )
    return EngineError(
        f"the engine at {url} cannot be reached: {reason_of(error)}", resolution=f"machine status {machine}"
    )


def _tls(error: ssl.SSLError, phase: str, url: str, machine: str) -> EngineError:
    renew = f"machine regenerate-certs {machine}"
    if isinstance(error, ssl.SSLCertVerificationError):
        descriptions = {
            _EXPIRED: "has expired",
            _NOT_YET: "is not valid yet: compare the clocks here and there",
        } | dict.fromkeys(_OTHER_NAME, "is made for other names or addresses")
        description = descriptions.get(error.verify_code, "is not signed by this store's CA")
        return EngineUntrusted(
            f"the certificate of the engine at {url} {description}",
            details=error.verify_message,
            resolution=f"{renew}   (if that engine is yours)",
        )
    reason = error.reason or str(error)
    if "ALERT" in reason:
        return EngineUntrusted(
            f"the engine at {url} does not accept our client certificate",
            details=f"its TLS alert: {reason.split('ALERT_')[-1].replace('_', ' ').lower()}",
            resolution=f"{renew}, or machine regenerate-certs --client-certs if ours has expired",
        )
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return EngineUntrusted(
            f"what answers at {url} does not speak TLS",
            details=reason.replace("_", " ").lower(),
            resolution=f"{check_address(machine)}; if that is the machine: machine provision {machine}",
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return EngineError(
            f"the engine at {url} closed the connection during the {phase}",
            details=_CLOSED,
            resolution=f"wait some seconds and run this again; if it stays: machine provision {machine}",
        )
    return EngineUntrusted(
        f"TLS with the engine at {url} failed", details=reason.replace("_", " ").lower(), resolution=renew
    )


def check_address(machine: str) -> str:
    """What to do when something else answers there; `machine` is its name, or ""."""
    return f"check that this is still its address: machine inspect {machine or 'NAME'}"
