"""Keeps a machine from the services on this host's loopback (--qemu-host-access off).

qemu's NAT leads what a machine sends to 10.0.2.2 to 127.0.0.1 of the host, and has no switch for that. So each frame
that the machine sends passes through here on its way to the NAT (qemu's filter-redirector), and is dropped if it would
open something on loopback. The machine has no say in it, whoever is root there. While nobody is here, nothing passes.

A frame of a connection that came from the host, to a published port, has the same address and passes: it never is a
TCP segment that opens a connection. UDP has no such mark: what passes is an answer in one frame to a client that the
relays of machine.drivers.qemu.udp_relay have now, from the port that it has asked.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from machine.drivers.images import nat
from machine.drivers.qemu.qmp import NAT, Client, QmpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

OBJECTS = "guard"  # how qemu calls the filters
LARGEST_FRAME = 1 << 17  # bytes; the NAT's are 1.5 KB
BLOCK = 1 << 18
CONNECT_SECONDS = 20.0
_LENGTH = struct.Struct("!I")  # before each frame
_PORTS = struct.Struct("!HH")  # source and destination, at the begin of a datagram
_IPV4, _ICMP, _TCP, _UDP = b"\x08\x00", 1, 6, 17
_SYN, _ACK = 0x02, 0x10
_DOMAIN = b"\x00\x35"  # port 53
_GATEWAY, _DNS = socket.inet_aton(nat.GATEWAY), socket.inet_aton(nat.DNS)
_NETWORK = _GATEWAY[:3]  # its prefix has 24 bits
_EVERYBODY = b"\xff\xff\xff\xff"  # which the NAT takes for 10.0.2.2


def allowed(frame: bytes | memoryview, answers: Container[tuple[int, int]] = ()) -> bool:
    """Whether a frame of the machine may go on. `frame` is one of Ethernet.

    `answers` has the (port of the machine, port of the host) of UDP between which it may.
    """
    if frame[12:14] != _IPV4:
        return True  # the NAT knows IPv4 and ARP only
    if len(frame) < 34:
        return False
    target = bytes(frame[30:34])
    if target[0] not in (0, 127) and target[:3] != _NETWORK and target != _EVERYBODY:
        return True
    header, fragment = (frame[14] & 0x0F) * 4, frame[20] & 0x3F or frame[21]
    if header < 20 or fragment or len(frame) < 14 + header + 8:
        return False  # what it is stands somewhere else, or nowhere
    return _allowed_inside(target, frame[23], frame[14 + header :], answers)


def _allowed_inside(target: bytes, kind: int, payload: bytes | memoryview, answers: Container[tuple[int, int]]) -> bool:
    """Whether a packet to an address of the NAT itself, or of loopback, may go on."""
    if target == _DNS:
        return kind in (_TCP, _UDP) and payload[2:4] == _DOMAIN
    if target != _GATEWAY:
        return False
    if kind == _TCP:
        return len(payload) >= 20 and (payload[13] & (_SYN | _ACK)) != _SYN
    if kind == _UDP:
        return _PORTS.unpack_from(payload) in answers
    return kind == _ICMP  # the NAT answers it itself


def passed(data: bytearray, answers: Container[tuple[int, int]] = ()) -> bytes:
    """Take the whole frames off `data` and return those that may go on, each with its length before it.

    Raises ValueError for a length that no frame has.
    """
    kept, at = [], 0
    view = memoryview(bytes(data))
    while len(view) - at >= 4:
        (length,) = _LENGTH.unpack_from(view, at)
        if length > LARGEST_FRAME:
            raise ValueError(f"a frame of {length} bytes")
        end = at + 4 + length
        if end > len(view):
            break
        if allowed(view[at + 4 : end], answers):
            kept.append(view[at:end])
        at = end
    del data[:at]
    return b"".join(kept)


def renew(qmp: Client) -> None:
    """Have qemu listen again where frames come back: its filter reads from the first who connects, and nobody later.

    The filter that gives frames away stays, so that nothing passes meanwhile. "head": the last for what the machine
    sends. Raises QmpError.
    """
    with contextlib.suppress(QmpError):  # it was killed between the two
        qmp.command("object-del", id=f"{OBJECTS}in")
    back = {"qom-type": "filter-redirector", "id": f"{OBJECTS}in", "netdev": NAT, "queue": "rx", "position": "head"}
    qmp.command("object-add", **back, indev=f"{OBJECTS}-in")


def start(
    out_path: str,
    in_path: str,
    ended: Callable[[], None],
    sleep: Callable[[float], object],
    answers: Container[tuple[int, int]] = (),
) -> None:
    """Let frames through from qemu's socket `out_path` to its socket `in_path`, in a thread that calls `ended` at last.

    `answers` is as for `allowed`, and may change. `sleep` waits between two tries to reach qemu. Raises OSError if
    it is not there.
    """
    frames, back = _connect(out_path, sleep), _connect(in_path, sleep)
    threading.Thread(target=_run, args=(frames, back, ended, answers), daemon=True).start()


def _run(
    frames: socket.socket, back: socket.socket, ended: Callable[[], None], answers: Container[tuple[int, int]]
) -> None:
    arrived = bytearray()
    try:
        while block := frames.recv(BLOCK):
            arrived += block
            back.sendall(passed(arrived, answers))
    except (OSError, ValueError):
        pass  # qemu has ended
    finally:
        with contextlib.suppress(OSError):
            ended()


def _connect(path: str, sleep: Callable[[float], object]) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            made.connect(path)
        except OSError:
            if time.monotonic() > deadline:
                made.close()
                raise
            sleep(0.1)
        else:
            return made
