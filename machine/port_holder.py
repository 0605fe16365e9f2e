"""Why a port of this host cannot be opened, and which program has it.

Needs little more than `os` and `socket`: the forwarder is a small process of its own.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = "/proc"
UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_TABLES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_WAITING = {"tcp": "0A", "udp": "07"}  # the state of a socket that waits for somebody (include/net/tcp_states.h)
_ANY = ("00000000", "0" * 32)
_MAPPED = "0000000000000000FFFF0000"  # how an IPv4 address begins that is written as one of IPv6
_NAME_LIMIT = 40  # letters of a program's name that are shown


def why(address: str, port: int, kind: str = "tcp") -> tuple[str, str]:
    """(what is in the way, what to do about it) of opening that port now; ("", "") when nothing is.

    `address` is a dotted one of IPv4, `kind` "tcp" or "udp".
    """
    try:
        probe(address, port, kind)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _in_use(address, port, kind)
        if error.errno in (errno.EACCES, errno.EPERM):
            return _forbidden(port)
        if error.errno == errno.EADDRNOTAVAIL:
            return f"this host has no address {address}", f"ip addr show lists those that it has; {address} is none"
        return f"this host says: {error.strerror}", ""
    return "", ""


def forbidden(port: int) -> tuple[str, str]:
    """(what forbids this user to open that port of TCP, what to do about it), whoever has it; ("", "") if nothing."""
    try:
        probe("127.0.0.1", port, "tcp")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return _forbidden(port)
    return "", ""


def sentence(address: str, port: int, cause: str) -> str:
    """What is wrong with a port, as the first line of an error; `cause` is the first part of `why`."""
    if cause.endswith(" has it"):
        return f"port {port} of {address} is taken: {cause}"
    return f"port {port} of {address} cannot be opened" + (f": {cause}" if cause else "; it could a moment later")


def holder(address: str, port: int, kind: str = "tcp", proc: str = PROC) -> tuple[int, str]:
    """(process id, name) of the program that has a port, as far as this user may see; (0, "") for none seen."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(address, port, kind, proc)}
    if not inodes:
        return 0, ""
    for entry in _listing(proc):
        if not entry.isdigit():
            continue
        for descriptor in _listing(f"{proc}/{entry}/fd"):
            if _link(f"{proc}/{entry}/fd/{descriptor}") in inodes:
                return int(entry), _name(f"{proc}/{entry}")
    return 0, ""


def probe(address: str, port: int, kind: str) -> None:
    """Open a port as a server does, and close it again.

    Raises OSError with the system's reason where that is refused.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as server:
        if kind == "tcp":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        if kind == "tcp":
            server.listen(1)


def _in_use(address: str, port: int, kind: str) -> tuple[str, str]:
    pid, name = holder(address, port, kind)
    if not pid:
        look = f"sudo ss -ln{kind[0]}p 'sport = :{port}'"
        return "a program that this user may not see has it", f"{look} shows which, end that"
    return f"{name} (process {pid}) has it", f"end that ({name}, process {pid})"


def _forbidden(port: int) -> tuple[str, str]:
    first = 1024
    try:
        with open(UNPRIVILEGED, encoding="ascii") as file:
            first = int(file.read(20))
    except (OSError, ValueError):
        pass
    if port >= first:
        return "this user may not open ports here", "see what forbids it (SELinux, a container)"
    resolution = f"sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port} lets everybody"
    return f"only root may open ports below {first} on this host", resolution


def _inodes(address: str, port: int, kind: str, proc: str) -> Iterator[str]:
    """The sockets that are in the way of this one."""
    packed = socket.inet_aton(address)
    own = (packed[::-1] if sys.byteorder == "little" else packed).hex().upper()
    for table in _TABLES[kind]:
        try:
            with open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as lines:
                for line in lines:
                    fields = line.split()
                    local_address, _, number = fields[1].partition(":") if len(fields) > 9 else ("", "", "")
                    matches = number.upper() == f"{port:04X}" and fields[3] == _WAITING[kind]
                    if matches and (own == _ANY[0] or local_address in (*_ANY, own, _MAPPED + own)):
                        yield fields[9]
        except OSError:
            continue


def _name(directory: str) -> str:
    """What a process is called; a virtual machine by the machine that it is."""
    try:
        with open(f"{directory}/cmdline", "rb") as file:
            arguments = file.read(1 << 16).decode("utf-8", "replace").split("\0")
    except OSError:
        arguments = []
    guest = next((word.removeprefix("guest=") for word in arguments if word.startswith("guest=")), "")
    text = os.path.basename(arguments[0]) if arguments else ""
    if guest and "qemu" in arguments[0]:
        text = f"qemu of machine {guest}"
    plain = "".join(letter for letter in text if letter.isprintable())[:_NAME_LIMIT]
    return plain or "a program"


def _listing(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
