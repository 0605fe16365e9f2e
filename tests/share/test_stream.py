"""Packets in any pieces, and what is no packet at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.share import protocol, stream
from machine.share.protocol import BadPacket, Kind, packet, string, u32
from tests.share.conversation import Conversation


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Conversation]:
    (tmp_path / "file").write_bytes(bytes(protocol.LARGEST_READ))
    made = Conversation(tmp_path)
    yield made
    made.close()


def _answers(machine: Conversation, pieces: list[bytes]) -> bytes:
    sent: list[bytes] = []
    left = iter([*pieces, b""])
    stream.serve(lambda _: next(left), sent.append, machine.server)
    return b"".join(sent)


def test_packets_come_in_any_pieces(machine: Conversation) -> None:
    requests = packet(Kind.INIT, u32(3)) + b"".join(packet(Kind.LSTAT, u32(n), string(b"/file")) for n in range(50))
    whole = _answers(machine, [requests])
    assert whole == _answers(machine, [bytes((byte,)) for byte in requests])
    assert whole.startswith(b"\0\0")


def test_answers_are_sent_before_they_pile_up(machine: Conversation) -> None:
    """Thousands of small requests for large answers, all in one piece."""
    handle = machine.handle(b"/file", protocol.READ)
    request = packet(Kind.READ, u32(1), string(handle), bytes(8), u32(protocol.LARGEST_READ))
    largest = 0

    def send(data: bytes) -> None:
        nonlocal largest
        largest = max(largest, len(data))

    pieces = iter([request * 500, b""])
    stream.serve(lambda _: next(pieces), send, machine.server)
    assert largest < 3 * protocol.LARGEST_READ


@pytest.mark.parametrize("head", [u32(0), u32(protocol.LARGEST_PACKET + 1), b"GET / HTTP/1.1\r\n", u32(0xFFFFFFFF)])
def test_what_is_no_packet_ends_the_conversation(machine: Conversation, head: bytes) -> None:
    with pytest.raises(BadPacket):
        _answers(machine, [head + bytes(100)])
