"""A virtual machine of the embedded driver: from `create`, its image cached, to the end of a `docker run`."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Failed, Row, Samples, interleaved
from tests.bench.subject import Subject, timed

BUSYBOX = Path("/bin/busybox")  # static; stands in for an image registry


def rows(subject: Subject) -> Iterator[Row]:
    """The first create builds or fetches the image, and makes the template; it is not counted."""
    missing = [name for name in ("docker",) if not shutil.which(name)] + ["busybox-static"] * (not BUSYBOX.exists())
    if missing:
        yield Row("qemu: create to docker run", Samples(), remark=f"not measured: needs {', '.join(missing)}")
        return
    created: list[float] = []
    try:
        subject.ours("create", "warm", store="vm")
        subject.ours("rm", "-y", "warm", store="vm")
    except Failed as error:
        yield Row("qemu: create to docker run", Samples(failure=str(error)))
        return
    found = interleaved(subject.runs, {"ours": lambda: _one(subject, created)})["ours"]
    yield Row("qemu: create from a template", Samples(created, found.failure))
    yield Row("qemu: create to docker run", found, aim="12 s")


def _one(subject: Subject, created: list[float]) -> float:
    """create, an image imported, a container run; then the machine is removed."""
    began = time.perf_counter()
    try:
        created.append(subject.ours("create", "bench", store="vm"))
        _docker(subject, "import", "-", "busybox", stdin=_image(subject.place / "busybox.tar"))
        _docker(subject, "run", "--rm", "busybox", "/bin/busybox", "true")
        return time.perf_counter() - began
    finally:
        timed([subject.program, "rm", "-f", "-y", "bench"], subject.environ("vm"))


def _docker(subject: Subject, *words: str, stdin: bytes = b"") -> None:
    environ = subject.environ("vm")
    done = subprocess.run(
        ["docker", "--context", "bench", *words], env=environ, input=stdin, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise Failed(done.stderr.decode("utf-8", "replace").strip()[:200])


def _image(path: Path) -> bytes:
    """A root file system of one program, as a tar."""
    if not path.exists():
        with tarfile.open(path, "w") as tar:
            tar.add(BUSYBOX.resolve(), "bin/busybox")
    return path.read_bytes()
