"""A directory of this computer on a virtual machine, beside one inside it: small files listed, a large one read.

The times are taken on the machine, by its own clock, with its caches dropped before each.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.figures import Failed, Row, Samples, interleaved
from tests.bench.subject import Subject, timed

FILES, MEGABYTES = 5000, 200
OWN = "/var/tmp/bench"
MAKE = f"mkdir -p {OWN}/many; cd {OWN}/many; seq {FILES} | xargs touch; head -c {MEGABYTES << 20} /dev/zero >../large"
LIST = "ls -l {place}/many | wc -l"
READ = "cat {place}/large | wc -c"
WHAT = (f"qemu: ls -l of {FILES} shared files", f"qemu: {MEGABYTES} MB read from a share")


def rows(subject: Subject) -> Iterator[Row]:
    """Two rows, each against the same directory on the machine's own disk."""
    place = subject.place / "shared"
    (place / "many").mkdir(parents=True)
    for number in range(FILES):
        (place / "many" / str(number)).touch()
    with (place / "large").open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(bytes(range(256)) * 4096)
    try:
        subject.ours("create", "--share", str(place), "bench-share", store="vm")
        _ssh(subject, MAKE)
        for what, command, count in ((WHAT[0], LIST, FILES + 1), (WHAT[1], READ, MEGABYTES << 20)):
            on_share = partial(_timed, subject, command, place, count)
            on_disk = partial(_timed, subject, command, Path(OWN), count)
            found = interleaved(subject.runs, {"share": on_share, "disk": on_disk})
            yield Row(what, found["share"], "its own disk", found["disk"])
    except Failed as error:
        yield Row(WHAT[0], Samples(failure=str(error)))
    finally:
        timed([subject.program, "rm", "-f", "-y", "bench-share"], subject.environ("vm"))


def _timed(subject: Subject, command: str, place: Path, count: int) -> float:
    """Seconds of a command on the machine, which must print `count`."""
    script = f"sync; echo 3 | sudo tee /proc/sys/vm/drop_caches >/dev/null; a=$(date +%s%N); {command}; b=$(date +%s%N)"
    printed, nanoseconds = _ssh(subject, f"{script.format(place=place)}; echo $((b - a))").split()
    if int(printed) != count:
        raise Failed(f"{command.format(place=place)} printed {printed}, not {count}")
    return int(nanoseconds) / 1e9


def _ssh(subject: Subject, command: str) -> str:
    argv = [subject.program, "ssh", "bench-share", command]
    done = subprocess.run(argv, env=subject.environ("vm"), capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise Failed(done.stderr.strip()[:200])
    return done.stdout
