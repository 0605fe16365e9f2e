"""`make bench-swarm`: a swarm manager over a farm of simulated engines; classic Swarm beside it, if there is one.

    python -m tests.bench.swarm [--containers 50] [ENGINES...]        default 10 100 1000

CLASSIC_SWARM_BIN names a `swarm` 1.2.9. Each manager gets a farm of its own, one after the other, and everything shares
the processors of this host, so the ratio says more than the figure. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sshd import free_port

# name of a figure -> (unit, aim at 1,000 engines; "" = none)
FIGURES = {
    "all healthy": ("s", "8"),
    "memory once healthy": ("MB", "450"),
    "list of all containers": ("ms", "120"),
    "size of that list": ("MB", ""),
    "list with a name filter": ("ms", "15"),
    "info": ("ms", "15"),
    "inspect": ("ms", ""),
    "ping": ("ms", ""),
    "creates, one by one": ("/s", "200"),
    "creates, 16 at a time": ("/s", ""),
    "creates, 64 at a time": ("/s", "200"),
    "most creates on one engine": ("", ""),
    "memory at the end": ("MB", ""),
}
PATIENCE = 180.0
MORE_IS_BETTER = ("/s",)
Figures = dict[str, "float | str"]


@contextmanager
def farm(engines: int, containers: int, place: Path) -> Iterator[Path]:
    """A farm as a process of its own; gives the file with its addresses."""
    nodes = place / "nodes"
    with nodes.open("wb") as out:
        argv = [sys.executable, "-m", "machine.swarmd.simulator.fleet", str(engines), str(containers)]
        process = subprocess.Popen(argv, stdout=out)
    try:
        until(lambda: len(nodes.read_text().split()) == engines, process)
        yield nodes
    finally:
        process.kill()
        process.wait()


def until(done: Callable[[], object], process: subprocess.Popen[bytes]) -> float:
    """Poll; the seconds it took. RuntimeError if the process ends or PATIENCE does."""
    began = time.perf_counter()
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"it ended with status {process.returncode}")
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"not there after {PATIENCE:.0f} s")
        time.sleep(0.05)
    return time.perf_counter() - began


def get(port: int, target: str) -> bytes:
    """One GET on a new connection. OSError, or RuntimeError for an error answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"GET {target}: {response.status} {data[:200]!r}")
    return data


def healthy(port: int) -> int:
    """How many engines the manager calls healthy."""
    try:
        return get(port, "/info").count(b'"Healthy"')
    except (OSError, http.client.HTTPException):
        return 0


def median_ms(port: int, target: str, runs: int = 20) -> float:
    """Of GETs, each on a new connection, the answer read to its end."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        get(port, target)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


async def creates(port: int, total: int, at_once: int, prefix: str) -> float:
    """Creates per second, over `at_once` connections that are kept."""
    numbers = iter(range(total))

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            body = json.dumps({"Image": "busybox", "Cmd": ["sleep", "9"], "HostConfig": {}}).encode()
            head = f"POST /containers/create?name={prefix}{number} HTTP/1.1\r\nHost: localhost\r\n"
            head += f"Content-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split(b" ", 2)[1] != b"201":
                raise RuntimeError(f"create: {answer[:100]!r}")
            await rest_of(answer, reader)
        writer.close()

    began = time.perf_counter()
    await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(at_once))), PATIENCE)
    return total / (time.perf_counter() - began)


async def rest_of(head: bytes, reader: asyncio.StreamReader) -> None:
    """Read the body that belongs to `head`."""
    lines = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"content-length" in lines:
        await reader.readexactly(int(lines[b"content-length"]))
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def memory(pid: int) -> float:
    """Resident megabytes."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(command: Sequence[str], engines: int, containers: int) -> Figures:
    """Every figure of one manager, started as `command ... manage -H tcp://... file://...`."""
    found: Figures = {}
    with tempfile.TemporaryDirectory(prefix="bench-swarm-") as name, farm(engines, containers, Path(name)) as nodes:
        port = free_port()
        with (Path(name) / "log").open("wb") as log:
            argv = [*command, "manage", "-H", f"tcp://127.0.0.1:{port}", f"file://{nodes}"]
            manager = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "HOME": name})
        try:
            _measure(found, manager, port, engines, containers)
        except (TimeoutError, RuntimeError, OSError, EOFError, http.client.HTTPException) as error:
            time.sleep(0.2)
            ended = f"; the manager ended with status {manager.poll()}" if manager.poll() is not None else ""
            last = (Path(name) / "log").read_text(errors="replace").strip().splitlines()[-1:]
            print(f"{command[0]}, {engines} engines: {error!r}{ended} {last}", file=sys.stderr)
        finally:
            manager.kill()
            manager.wait()
    return found


def _measure(found: Figures, manager: subprocess.Popen[bytes], port: int, engines: int, containers: int) -> None:
    found["all healthy"] = until(lambda: healthy(port) >= engines, manager)
    found["memory once healthy"] = memory(manager.pid)
    data = get(port, "/containers/json?all=1")
    listed = json.loads(data)
    if len(listed) != engines * containers:
        raise RuntimeError(f"the list has {len(listed)} containers, not {engines * containers}")
    found["size of that list"] = len(data) / 1e6
    found["list of all containers"] = median_ms(port, "/containers/json?all=1")
    found["list with a name filter"] = median_ms(port, '/containers/json?all=1&filters={"name":["sim-0007-7"]}')
    found["info"] = median_ms(port, "/info")
    found["inspect"] = median_ms(port, f"/containers/{listed[len(listed) // 2]['Id']}/json")
    found["ping"] = median_ms(port, "/_ping")
    for figure, total, at_once in (
        ("creates, one by one", 200, 1),
        ("creates, 16 at a time", 800, 16),
        ("creates, 64 at a time", 800, 64),
    ):
        found[figure] = asyncio.run(creates(port, total, at_once, f"b{at_once}-"))
    info = json.loads(get(port, "/info"))
    if info["Containers"] != engines * containers + 1800:
        raise RuntimeError(f"info counts {info['Containers']} containers, not {engines * containers + 1800}")
    found["memory at the end"] = memory(manager.pid)
    per_node: dict[str, int] = {}
    for node in [key.strip() for key, value in info["SystemStatus"] if ":" in value and not key.startswith("  ")]:
        filters = json.dumps({"status": ["created"], "node": [node]}, separators=(",", ":"))
        per_node[node] = len(json.loads(get(port, f"/containers/json?all=1&filters={filters}")))
    found["most creates on one engine"] = max(per_node.values(), default=0)


def table(ours: Figures, theirs: Figures, engines: int, containers: int) -> str:
    """One size as text; the ratio is above 1 where ours is better."""
    lines = [f"{engines} engines, {engines * containers} containers"]
    lines.append(f"  {'':28}{'ours':>12}{'classic':>12}{'ratio':>8}   aim")
    for figure, (unit, aim) in FIGURES.items():
        mine, other = ours.get(figure), theirs.get(figure)
        cells = [f"{value:.4g} {unit}" if isinstance(value, (int, float)) else "-" for value in (mine, other)]
        ratio = ""
        if isinstance(mine, (int, float)) and isinstance(other, (int, float)) and mine and other:
            ratio = f"{mine / other if unit in MORE_IS_BETTER else other / mine:.1f}"
        goal = f"   {'over' if unit in MORE_IS_BETTER else 'under'} {aim} {unit}" if aim and engines == 1000 else ""
        lines.append(f"  {figure:28}{cells[0]:>12}{cells[1] if theirs else '':>12}{ratio:>8}{goal}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Measure all sizes and print a table for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.swarm", description=__doc__)
    parser.add_argument("engines", nargs="*", type=int, default=[10, 100, 1000])
    parser.add_argument("--containers", type=int, default=50)
    args = parser.parse_args(argv)
    classic = os.environ.get("CLASSIC_SWARM_BIN", "")
    if classic and shutil.which(classic) is None:
        parser.error(f"CLASSIC_SWARM_BIN names {classic}, which is no program")
    for engines in args.engines or [10, 100, 1000]:
        ours = measure([sys.executable, "-m", "machine", "swarm"], engines, args.containers)
        theirs = measure([classic], engines, args.containers) if classic else {}
        print(table(ours, theirs, engines, args.containers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
