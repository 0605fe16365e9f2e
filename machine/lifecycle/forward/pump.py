"""Bytes between a socket of this computer and a channel of ssh, both ways, until both have ended."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

BLOCK = 32768


def pump(near: socket.socket, channel: paramiko.Channel) -> None:
    """Copy both ways; an end of what is sent is passed on. What is not taken yet is not read, so nothing piles up."""
    back = threading.Thread(target=_to_socket, args=(channel, near), daemon=True)
    back.start()
    with contextlib.suppress(OSError, EOFError):
        while block := near.recv(BLOCK):
            channel.sendall(block)
        channel.shutdown_write()
    back.join()
    near.close()
    channel.close()


def _to_socket(channel: paramiko.Channel, near: socket.socket) -> None:
    try:
        while block := channel.recv(BLOCK):
            near.sendall(block)
        alive = channel.get_transport().is_active()
        near.shutdown(socket.SHUT_WR if alive else socket.SHUT_RDWR)  # a lost link has ended both ways
    except (OSError, EOFError):  # either side has gone: the other thread is to see it
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
        channel.close()
