"""What a machine without access to its host may send: attacks on that, and the whole of it over real sockets."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from threading import Event

import pytest

from machine.drivers.qemu import guard

SYN, ACK, RST, FIN, PUSH = 2, 16, 4, 1, 8
TCP, UDP, ICMP = 6, 17, 1
GATEWAY, DNS = "10.0.2.2", "10.0.2.3"


def frame(
    target: str,
    kind: int = TCP,
    *,
    flags: int = SYN,
    port: int = 80,
    fragment: int = 0,
    options: bytes = b"",
    ethernet: bytes = b"\x08\x00",
) -> bytes:
    """A frame of Ethernet to a port of an address."""
    payload = struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 0x50, flags, 1000, 0, 0) if kind == TCP else b""
    payload = payload or struct.pack("!HHHH", 40000, port, 12, 0) + b"data"
    first = 0x40 | (5 + len(options) // 4)
    total = 20 + len(options) + len(payload)
    head = struct.pack("!BBHHHBBH", first, 0, total, 1, fragment, 64, kind, 0)
    addresses = socket.inet_aton("10.0.2.15") + socket.inet_aton(target)
    return bytes(12) + ethernet + head + addresses + options + payload


@pytest.mark.parametrize(
    "wanted",
    [
        frame("192.0.2.1"),
        frame("192.168.1.5", UDP),
        frame("192.0.2.1", fragment=0x2000),
        frame(GATEWAY, flags=ACK),
        frame(GATEWAY, flags=SYN | ACK),
        frame(GATEWAY, flags=ACK | PUSH),
        frame(GATEWAY, flags=ACK | FIN),
        frame(GATEWAY, flags=RST),
        frame(GATEWAY, ICMP),
        frame(DNS, UDP, port=53),
        frame(DNS, TCP, port=53),
        frame(GATEWAY, ethernet=b"\x08\x06"),
        bytes(60),
    ],
)
def test_what_goes_on(wanted: bytes) -> None:
    assert guard.allowed(wanted)


def test_an_answer_over_udp_goes_on_to_who_has_asked_that_port() -> None:
    answers = {(40000, 5353)}
    assert guard.allowed(frame(GATEWAY, UDP, port=5353), answers)
    assert guard.allowed(frame(GATEWAY, UDP, port=5353, options=bytes(8)), answers)
    assert not guard.allowed(frame(GATEWAY, UDP, port=5354), answers)
    assert not guard.allowed(frame(GATEWAY, UDP, port=5353), {(40001, 5353), (5353, 40000)})
    assert not guard.allowed(frame(GATEWAY, UDP, port=5353))
    for target in ("127.0.0.1", "255.255.255.255", "10.0.2.255", DNS, "0.0.0.0"):
        assert not guard.allowed(frame(target, UDP, port=5353), answers)
    for fragment in (0x2000, 1):
        assert not guard.allowed(frame(GATEWAY, UDP, port=5353, fragment=fragment), answers)
    assert not guard.allowed(frame(GATEWAY, port=5353), answers)


@pytest.mark.parametrize(
    "attack",
    [
        frame(GATEWAY),
        frame(GATEWAY, flags=SYN | PUSH),
        frame(GATEWAY, flags=SYN | FIN),
        frame(GATEWAY, options=bytes(8)),
        frame(GATEWAY, UDP, port=53),
        frame(GATEWAY, 132),
        frame(GATEWAY, flags=ACK, fragment=0x2000),
        frame(GATEWAY, flags=ACK, fragment=1),
        frame(GATEWAY, flags=ACK, fragment=0x1F00),
        frame("127.0.0.1"),
        frame("127.0.0.1", flags=ACK),
        frame("127.84.7.1", UDP),
        frame("0.0.0.0"),
        frame("255.255.255.255", UDP),
        frame("255.255.255.255"),
        frame("10.0.2.255", UDP),
        frame("10.0.2.99"),
        frame(DNS, port=80),
        frame(DNS, UDP, port=8053),
        frame(DNS, ICMP),
        frame(GATEWAY)[:33],
        frame(GATEWAY, flags=ACK)[:40],
        frame(GATEWAY, flags=ACK)[:14] + b"\x44" + frame(GATEWAY, flags=ACK)[15:],
        frame(GATEWAY, flags=ACK)[:14] + b"\x4f" + frame(GATEWAY, flags=ACK)[15:],
    ],
)
def test_what_does_not(attack: bytes) -> None:
    assert not guard.allowed(attack)


def _with_length(one: bytes) -> bytes:
    return struct.pack("!I", len(one)) + one


def test_frames_come_in_any_pieces() -> None:
    good, bad = _with_length(frame("192.0.2.1")), _with_length(frame(GATEWAY))
    stream = good + bad + good + good + bad
    for size in (1, 3, 50, len(stream)):
        arrived, gone = bytearray(), b""
        for start in range(0, len(stream), size):
            arrived += stream[start : start + size]
            gone += guard.passed(arrived)
        assert gone == good * 3
        assert not arrived


def test_a_length_that_no_frame_has_ends_it() -> None:
    with pytest.raises(ValueError, match="4294967295"):
        guard.passed(bytearray(b"\xff" * 8))


def test_it_ends_with_qemu(tmp_path: Path) -> None:
    ended = Event()
    with socket.socket(socket.AF_UNIX) as out, socket.socket(socket.AF_UNIX) as back:
        for server, name in ((out, "out"), (back, "in")):
            server.bind(str(tmp_path / name))
            server.listen(1)
        guard.start(str(tmp_path / "out"), str(tmp_path / "in"), ended.set, time.sleep)
        sender, receiver = out.accept()[0], back.accept()[0]
        with sender, receiver:
            receiver.settimeout(20)
            sender.sendall(_with_length(frame(GATEWAY)) + _with_length(frame("192.0.2.1")))
            assert receiver.recv(1000) == _with_length(frame("192.0.2.1"))
    assert ended.wait(20)
