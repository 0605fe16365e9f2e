"""QEMU Machine Protocol: JSON lines over a unix socket (https://www.qemu.org/docs/master/interop/qmp-spec.html).

Needs json and socket only: the forwarder is a process of its own and lives on this.
"""

from __future__ import annotations

import json
import socket
import time

from machine.errors import DriverError, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any, Self

NAT = "nat"  # qemu's name of a machine's first network, to which forwards are added
LONGEST = 16 << 20  # bytes of one line; the longest, what `info usernet` prints of 4096 forwards, takes 1 MB
_MIGRATIONS = {"migrate": "save", "migrate-incoming": "restore"}
MOST_EVENTS = 1000  # kept of those that come while an answer is awaited; qemu itself sends at most a few a second


class QmpError(DriverError):
    """qemu refused a command, or nobody speaks QMP at that socket."""


class Client:
    """One connection. qemu serves one client per socket; a second one waits for the greeting until `timeout`."""

    def __init__(self, path: str, timeout: float = 5.0) -> None:
        """Connect and shake hands. Raises QmpError if there is no answer within `timeout` seconds."""
        self.path = path
        self._timeout, self._deadline = timeout, 0.0
        self._buffer = bytearray()
        self.events: list[dict[str, Any]] = []  # that came while an answer was awaited, oldest first
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self._deadline = time.monotonic() + timeout
        try:
            self.socket.connect(path)
            self._receive()  # the greeting
            self.command("qmp_capabilities")
        except OSError as error:
            self.socket.close()
            raise QmpError(f"qemu does not answer at {path}", details=reason_of(error)) from error
        except BaseException:
            self.socket.close()
            raise

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Run one command and return its `return`; QmpError carries qemu's own words.

        The answer has `timeout` seconds, whatever else comes meanwhile.
        """
        request: dict[str, Any] = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        return self._ask(request)

    def give_file(self, name: str, descriptor: int) -> None:
        """Give qemu a copy of an open file of ours, which it calls `name` (`fd:NAME` where it takes one)."""
        self._ask({"execute": "getfd", "arguments": {"fdname": name}}, [descriptor])

    def _ask(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        name = request["execute"]
        self._deadline = time.monotonic() + self._timeout
        try:
            self.socket.settimeout(self._timeout)
            line = json.dumps(request).encode() + b"\n"
            if descriptors:  # they come with the first byte
                line = line[socket.send_fds(self.socket, [line], descriptors) :]
            self.socket.sendall(line)
            while True:
                answer = self._receive()
                if "event" in answer:
                    self.events.append(answer)
                    del self.events[:-MOST_EVENTS]
                elif "error" in answer:
                    problem = answer["error"]
                    raise QmpError(
                        f"qemu refused {name}",
                        details=str(problem.get("desc", "") if isinstance(problem, dict) else problem),
                    )
                else:
                    return answer.get("return")
        except OSError as error:
            raise QmpError(f"qemu went away during {name}", details=reason_of(error)) from error

    def migrate(self, command: str, uri: str, seconds: float) -> None:
        """Save the machine to `uri` ("migrate") or restore it from there ("migrate-incoming"), and wait for that.

        A pipe may still hold the end of what was saved when this returns.

        Raises QmpError, with qemu's own words, if that fails or takes longer than `seconds`.
        """
        self.command("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.events.clear()
        self.command(command, uri=uri)
        self._deadline = time.monotonic() + seconds
        try:
            while True:
                event = self.events.pop(0) if self.events else self._receive()
                data = event.get("data")
                status = data.get("status") if event.get("event") == "MIGRATION" and isinstance(data, dict) else ""
                if status == "completed":
                    return
                if status in ("failed", "cancelled"):
                    raise QmpError(f"qemu could not {_MIGRATIONS[command]} the machine", details=self._failure())
        except OSError as error:
            raise QmpError(f"qemu did not {_MIGRATIONS[command]} the machine", details=reason_of(error)) from error

    def _failure(self) -> str:
        """Return why saving or restoring failed; "" if qemu has ended over it, which it does when restoring fails."""
        try:
            known = self.command("query-migrate")
        except QmpError:
            return ""
        return str(known.get("error-desc", "")) if isinstance(known, dict) else ""

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
        seen = 0
        while (end := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > LONGEST:
                raise QmpError(f"{self.path} does not speak QMP", details=f"a line of more than {LONGEST} bytes")
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.socket.settimeout(left)
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("the connection was closed")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise QmpError(f"{self.path} does not speak QMP", details=line[:80].decode("ascii", "replace")) from None
        if not isinstance(answer, dict):
            raise QmpError(f"{self.path} does not speak QMP")
        return answer
