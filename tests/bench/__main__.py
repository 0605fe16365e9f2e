"""The command line of the bench."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import adopt, clouds, hypervisor, ls, openstack, share, startup, virtual
from tests.bench.figures import Row, table
from tests.bench.subject import Subject, install

SECTIONS: dict[str, tuple[Callable[[Subject], Iterator[Row]], ...]] = {
    "startup": (startup.rows,),
    "ls": (ls.rows,),
    "create": (adopt.rows,),
    "clouds": (clouds.rows, openstack.rows, hypervisor.rows),
    "vm": (virtual.rows,),
    "share": (share.rows,),
}
ALWAYS = ("startup", "ls", "create", "clouds")


def main(argv: list[str]) -> int:
    """Measure, and print the table; progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Speed, as ratios taken in one run.")
    parser.add_argument("--only", metavar="SECTION,...", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--runs", type=int, default=5, help="how often each is run (5; short commands four times that)")
    parser.add_argument("--vm", action="store_true", help="boot virtual machines too (minutes)")
    parser.add_argument("--program", metavar="PATH", help="measure this `machine` instead of a fresh installation")
    args = parser.parse_args(argv)
    chosen = args.only.split(",") if args.only else [*ALWAYS, *["vm", "share"] * args.vm]
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}; there are: {', '.join(SECTIONS)}")
    place = Path(tempfile.mkdtemp(prefix="machine-bench-"))
    try:
        program = args.program or install(place)
        subject = Subject(place, program, os.environ.get("DOCKER_MACHINE_BIN", ""), max(args.runs, 1))
        rows = []
        for name in chosen:
            for row in (row for section in SECTIONS[name] for row in section(subject)):
                print(" ".join(cell for cell in row.cells() if cell), file=sys.stderr, flush=True)
                rows.append(row)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before and during: {load()}\n")
    print(table(rows))
    return 0


def load() -> str:
    """The load averages, where there are such."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
