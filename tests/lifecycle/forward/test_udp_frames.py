"""Datagrams in a stream: the frames, and the program that a machine runs."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest

from machine.lifecycle.forward.udp_frames import Frames, frame, remote_command


def test_frames_come_in_any_pieces() -> None:
    stream = frame(1, b"one") + frame(2, b"") + frame((1 << 32) - 1, b"x" * 65507)
    for size in (1, 5, 7, 4096, len(stream)):
        frames = Frames()
        pieces = (stream[start : start + size] for start in range(0, len(stream), size))
        assert [found for piece in pieces for found in frames.feed(piece)] == [
            (1, b"one"),
            (2, b""),
            ((1 << 32) - 1, b"x" * 65507),
        ]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(20)
        made.bind(("127.0.0.1", 0))
        yield made


def test_the_program_of_the_machine(server: socket.socket) -> None:
    """Each sender has a socket of its own there, by which its answers find back; it ends with its input."""
    command = remote_command("127.0.0.1", server.getsockname()[1])
    with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(frame(7, b"seven") + frame(8, b"eight"))
        seen = dict(server.recvfrom(100) for _ in range(2))
        assert set(seen) == {b"seven", b"eight"}
        assert seen[b"seven"] != seen[b"eight"]
        server.sendto(b"to eight", seen[b"eight"])
        frames, found = Frames(), list[tuple[int, bytes]]()
        while not found:
            found += frames.feed(program.stdout.read(100))
        assert found == [(8, b"to eight")]
        program.stdin.close()
        assert program.wait(20) == 0
