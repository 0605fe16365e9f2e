"""QEMU Machine Protocol: JSON lines over a unix socket (https://www.qemu.org/docs/master/interop/qmp-spec.html).

Needs json and socket only: the watcher of published ports is a process of its own and lives on this.
"""

from __future__ import annotations

import json
import socket

from machine.errors import DriverError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self


class QmpError(DriverError):
    """qemu refused a command, or nobody speaks QMP at that socket."""


class Client:
    """One connection. qemu serves one client per socket; a second one waits for the greeting until `timeout`."""

    def __init__(self, path: str, timeout: float = 5.0) -> None:
        """Connect and shake hands; QmpError when there is no answer within `timeout` seconds."""
        self.path = path
        self._buffer = b""
        self.events: list[dict[str, Any]] = []  # that came while an answer was awaited, oldest first
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
            self._receive()  # the greeting
            self.command("qmp_capabilities")
        except OSError as error:
            self.socket.close()
            raise QmpError(f"qemu does not answer at {path}", details=str(error)) from error
        except BaseException:
            self.socket.close()
            raise

    def command(self, name: str, **arguments: Any) -> Any:
        """Run one command and return its `return`; QmpError carries qemu's own words."""
        request: dict[str, Any] = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                answer = self._receive()
                if "event" in answer:
                    self.events.append(answer)
                elif "error" in answer:
                    raise QmpError(f"qemu refused {name}", details=str(answer["error"].get("desc", "")))
                else:
                    return answer.get("return")
        except OSError as error:
            raise QmpError(f"qemu went away during {name}", details=str(error)) from error

    def monitor(self, line: str) -> str:
        """A command of the human monitor; what it printed ("" is success for most)."""
        return str(self.command("human-monitor-command", **{"command-line": line})).strip()

    def close(self) -> None:
        """End the connection; qemu goes on."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("the connection was closed")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError:
            raise QmpError(f"{self.path} does not speak QMP", details=line[:80].decode("ascii", "replace")) from None
        if not isinstance(answer, dict):
            raise QmpError(f"{self.path} does not speak QMP")
        return answer
