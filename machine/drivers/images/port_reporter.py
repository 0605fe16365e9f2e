"""The port reporter: runs inside a machine, tells the forwarder which ports are open, and keeps the machine's clock.

Only Python's own library, for it runs on the machine, whatever Python that has (3.7 or newer). It goes there as text.

Every half second it reads the kernel's tables of sockets, and writes one JSON line to the virtio serial port whenever
they change (and every 15 seconds, for a forwarder that came late):

    {"open": [[protocol, port], ...],            reached at the machine's address inside the NAT
     "bound": [[protocol, address, port], ...],  reached there too, by a rule of ours: at an address of the host's
     "local": [[protocol, port], ...],           published at loopback's addresses; reached there too, by a rule of ours
     "six": [[protocol, port], ...],             open for IPv6 only, and there is no relay to it
     "engine": "..."}                            another text whenever the engine was started anew, "" while it is off
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

PORT = "/dev/virtio-ports/machine.ports"
INSIDE = "10.0.2.15"  # the machine's address inside the NAT
CARD = "nat0"
MACHINES = "127.84."  # how the addresses begin that hosts give to machines
ANY4, ANY6 = "00000000", "0" * 32
LOOPBACK4, LOOPBACK6 = ("0100007F", "7F000001"), ("0" * 24 + "01000000", "0" * 31 + "1")  # little and big endian
PUBLISHER = "docker-proxy"  # the program that holds the port of a container; what else is at loopback is nobody's
TABLES = (("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07"))
CLIENTS = 32768  # udp ports from here on are clients' own
ENGINE = 2376
CHAIN = "MACHINE-PORTS"
CLOCK = "/sys/class/rtc/rtc0/since_epoch"  # the host's time, also after the machine stood still
JUMP = 2.0  # seconds by which that clock and the machine's own must part to be a standstill; it counts whole seconds
RANDOMIZE = "/proc/sys/kernel/randomize_va_space"  # sysctl/kernel of the kernel's documentation: 0 is off, 2 is on
UNRANDOMIZED = 300.0  # seconds after which addresses are randomized in any case
AGAIN = 15.0  # seconds after which an unchanged report is written again


def address(text: str) -> str:
    """The dotted address of a hexadecimal one in /proc/net/tcp, which is in the processor's order of bytes."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(text)))


def sockets() -> Iterator[tuple[str, str, int, str]]:
    """(protocol, address in hexadecimal, port, inode) of each socket that waits for somebody."""
    for table, protocol, state in TABLES:
        try:
            with open("/proc/net/" + table) as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    where, _, port = fields[1].partition(":")
                    if fields[3] == state and (protocol == "tcp" or int(port, 16) < CLIENTS):
                        yield protocol, where, int(port, 16), fields[9]
        except (OSError, StopIteration):
            continue


def report(
    found: Iterable[tuple[str, str, int, str]],
    only_six: Callable[[str, int, str], bool],
    published: Callable[[str], bool] = lambda _: False,
) -> dict[str, Any]:
    """The sets of a report, as a dictionary.

    `only_six` says whether a socket of IPv6 refuses IPv4, `published` whether one at a loopback address is a
    container's. "local6" is for us only: which of "local" are at ::1.
    """
    engine = ""
    local: set[tuple[str, int]] = set()
    local6: set[tuple[str, int]] = set()
    four: set[tuple[str, int]] = set()
    six: dict[tuple[str, int], str] = {}
    bound: set[tuple[str, str, int]] = set()
    for protocol, where, port, inode in found:
        if port == ENGINE and protocol == "tcp" and where in (ANY4, ANY6):
            engine = inode
        if where == ANY6:
            six[(protocol, port)] = inode
        elif where == ANY4 or (len(where) == 8 and address(where) == INSIDE):
            four.add((protocol, port))
        elif len(where) == 8 and address(where).startswith(MACHINES):
            bound.add((protocol, address(where), port))
        elif where in (*LOOPBACK4, *LOOPBACK6) and published(inode):
            (local if where in LOOPBACK4 else local6).add((protocol, port))
    alone = {port for port, inode in six.items() if port not in four and only_six(port[0], port[1], inode)}
    reached = four | (set(six) - alone)
    return {
        "open": sorted(reached),
        "bound": sorted(bound),
        "local": sorted((local | local6) - reached - alone),
        "local6": sorted(local6 - local - reached - alone),
        "six": sorted(alone),
        "engine": engine,
    }


class Publishers:
    """Which sockets are of PUBLISHER. It is looked for when a socket is seen for the first time."""

    def __init__(self, proc: str = "/proc") -> None:
        self.proc = proc
        self.known: dict[str, bool] = {}

    def published(self, inode: str) -> bool:
        """Whether the socket is a container's."""
        if inode not in self.known:
            if len(self.known) > 1000:
                self.known.clear()
            self.known[inode] = f"socket:[{inode}]" in self._held()
        return self.known[inode]

    def _held(self) -> set[str]:
        held: set[str] = set()
        for entry in filter(str.isdigit, os.listdir(self.proc)):
            try:
                with open(f"{self.proc}/{entry}/comm") as file:
                    if file.read().strip() != PUBLISHER:
                        continue
                for descriptor in os.listdir(f"{self.proc}/{entry}/fd"):
                    held.add(os.readlink(f"{self.proc}/{entry}/fd/{descriptor}"))
            except OSError:
                continue  # it has ended
        return held


class Questions:
    """Asks `ss`, once for each socket, whether it is for IPv6 only: the kernel's tables do not tell."""

    def __init__(self) -> None:
        self.known: dict[str, bool] = {}

    def only_six(self, protocol: str, port: int, inode: str) -> bool:
        """Whether it is; False when nobody tells."""
        if inode not in self.known:
            if len(self.known) > 1000:
                self.known.clear()
            words = ["ss", "-Hn6e", "-lt" if protocol == "tcp" else "-lu", "sport", "=", f":{port}"]
            try:
                told = subprocess.run(words, capture_output=True, timeout=10, check=False).stdout
            except (OSError, subprocess.TimeoutExpired):
                told = b""
            self.known[inode] = b"v6only:1" in told and b"v6only:0" not in told
        return self.known[inode]


def rules(bound: list[tuple[str, int, str, int]]) -> Iterator[list[str]]:
    """The commands that lead what arrives from the host to sockets at addresses that are loopback's in here.

    `bound` are (protocol, port as the host knows it, address, port there).
    """
    yield ["-N", CHAIN]
    yield ["-F", CHAIN]
    for protocol, port, where, there in bound:
        yield ["-A", CHAIN, "-p", protocol, "--dport", str(port), "-j", "DNAT", "--to-destination", f"{where}:{there}"]
    yield ["-D", "PREROUTING", "-d", INSIDE, "-j", CHAIN]
    if bound:
        yield ["-I", "PREROUTING", "-d", INSIDE, "-j", CHAIN]


class Leads:
    """The rules and relays that lead from the machine's address inside the NAT to where something listens."""

    def __init__(self, put: Callable[[list[tuple[str, int, str, int]]], None] | None = None) -> None:
        self.put = put or lead
        self.led: list[tuple[str, int, str, int]] = []
        self.before: dict[str, Any] = {}
        self.told: dict[str, Any] = {}
        self.relays: Any = None

    def follow(self, now: dict[str, Any]) -> dict[str, Any]:
        """Bring them to what a report says, and return the report as the host is told it."""
        if now == self.before:
            return self.told
        relayed = self._relay([*now["six"], *now["local6"]])
        wanted = [(kind, port, where, port) for kind, where, port in now["bound"]]
        wanted += [(kind, port, "127.0.0.1", port) for kind, port in now["local"] if (kind, port) not in now["local6"]]
        wanted += [(kind, port, "127.0.0.1", own) for (kind, port), own in sorted(relayed.items())]
        if wanted != self.led:
            self.led = wanted
            self.put(wanted)
        missing = [port for port in now["six"] if port not in relayed]
        self.told = {
            "open": sorted({*now["open"], *(port for port in now["six"] if port in relayed)}),
            "bound": now["bound"],
            "local": [port for port in now["local"] if port not in now["local6"] or port in relayed],
            "six": missing,
            "engine": now["engine"],
        }
        self.before = now if not missing else {}
        return self.told

    def _relay(self, ports: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Have relays to these ports of ::1; what there is of them."""
        if self.relays is None:
            if not ports:
                return {}
            try:
                # It lies beside this file, and takes a second to load in an emulated machine.
                self.relays = importlib.import_module("port_relay").Relays()
            except ImportError:
                return {}
        found: dict[tuple[str, int], int] = self.relays.follow(ports)
        return found


def lead(bound: list[tuple[str, int, str, int]]) -> None:
    """Put the rules there; the card takes packets for loopback's addresses only while there are some.

    Nobody but the host's forwards can send any over that card.
    """
    try:
        with open(f"/proc/sys/net/ipv4/conf/{CARD}/route_localnet", "w") as switch:
            switch.write("1" if bound else "0")
    except OSError:
        pass
    for words in rules(bound):
        try:
            subprocess.run(["iptables", "-w", "-t", "nat", *words], capture_output=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return


def host_time() -> int | None:
    """The host's time in whole seconds, None where there is no such clock."""
    try:
        with open(CLOCK) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


class Clock:
    """Notices that the machine stood still (paused, or its host asleep), or that the host's clock was set."""

    def __init__(
        self,
        host: Callable[[], int | None] = host_time,
        running: Callable[[], float] = time.monotonic,
        put: Callable[[float], object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.host, self.running, self.sleep = host, running, sleep
        self.put = put or (lambda seconds: time.clock_settime(time.CLOCK_REALTIME, seconds))
        self.before = (host(), running())

    def look(self) -> bool:
        """Set the machine's clock if that is so; whether it was."""
        host, running = self.host(), self.running()
        last, then = self.before
        self.before = (host, running)
        if host is None or last is None or abs((host - last) - (running - then)) <= JUMP:
            return False
        try:
            self.put(host + 0.5)
            for _ in range(120):  # and to the point when the next second begins
                now = self.host()
                if now is not None and now != host:
                    self.put(now)
                    break
                self.sleep(0.01)
        except OSError:
            return False
        self.before = (self.host(), self.running())
        return True


class Randomization:
    """Switches on the randomization of addresses, without which qemu has started an emulated machine.

    For with it, software emulation translates each program anew whenever it is started, which makes every start three
    times as slow. It is on as soon as the engine is up; where that has containers, which it starts itself, the service
    of this program has switched it on before (port_reporter_unit.SERVICE).
    """

    def __init__(self, switch: str = RANDOMIZE) -> None:
        self.switch, self.since = switch, time.monotonic()
        self.off = self._read() == "0"

    def look(self, engine: str) -> None:
        """Switch it on if it is time; `engine` is the word of the report, "" while the engine is off."""
        if self.off and (engine or time.monotonic() - self.since > UNRANDOMIZED):
            with open(self.switch, "w") as file:
                file.write("2")
            self.off = False

    def _read(self) -> str:
        try:
            with open(self.switch) as file:
                return file.read().strip()
        except OSError:
            return ""


def main() -> None:
    """Report and watch, for as long as the machine runs."""
    said: dict[str, Any] | None = None
    when = 0.0
    out = os.open(PORT, os.O_WRONLY)
    questions, publishers, leads = Questions(), Publishers(), Leads()
    clock, randomization = Clock(), Randomization()
    for turn in itertools.count():
        if turn % 2:  # once a second: that clock counts no less
            clock.look()
        now = leads.follow(report(sockets(), questions.only_six, publishers.published))
        randomization.look(now["engine"])
        if now != said or time.monotonic() - when > AGAIN:
            os.write(out, (json.dumps(now) + "\n").encode())
            said, when = now, time.monotonic()
        time.sleep(0.5)


if __name__ == "__main__":
    main()
