"""Driver virtualbox on a VBoxManage that answers as recorded, beside docker-machine's.

Nothing boots behind it, so `create` is measured up to the moment when `startvm` was asked for, and ended there. Each
call of VBoxManage is the start of a Python, whoever asks.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench import vboxmanage
from tests.bench.figures import Failed, Row, Samples
from tests.bench.subject import PEER, Subject, timed
from tests.drivers.virtualbox.fake_vboxmanage import Fake
from tests.drivers.virtualbox.paths import bootable

LINE = ["create", "-d", "virtualbox", "--virtualbox-no-share", "--virtualbox-no-vtx-check"]
SECONDS = 300.0
WHAT = ("create -d virtualbox, up to its boot", "rm, virtualbox")


def rows(subject: Subject) -> Iterator[Row]:
    """Two rows; one that says why where nothing can stand for VBoxManage."""
    if not shutil.which("qemu-img"):
        yield Row(WHAT[0], Samples(), remark="not measured: what stands for VBoxManage needs qemu-img")
        return
    who = ["ours", *[PEER] * bool(subject.peer)]
    found = {name: (Samples(), Samples()) for name in who}
    calls: dict[str, list[int]] = {name: [0, 0] for name in who}
    for number in range(subject.runs):
        for name in who:
            if not found[name][0].failure:
                try:
                    calls[name] = one(subject, name, number, found[name])
                except Failed as why:
                    for samples in found[name]:
                        samples.failure = f"{name} failed: {why}"
    for verb, what in enumerate(WHAT):
        remark = f"{calls['ours'][verb]} calls of VBoxManage"
        remark += f" (theirs: {calls[PEER][verb]})" if PEER in who else ""
        theirs = found[PEER][verb] if PEER in who else Samples()
        yield Row(what, found["ours"][verb], PEER * (PEER in who), theirs, remark=remark)


def one(subject: Subject, who: str, number: int, found: tuple[Samples, Samples]) -> list[int]:
    """One machine; the calls that `create` and `rm` made."""
    place = subject.place / f"virtualbox-{who}-{number}"
    fake = Fake(place / "virtualbox")
    vboxmanage.put(place / "bin", fake)
    environ = subject.environ(f"virtualbox-{who}-{number}")
    environ["PATH"] = f"{place / 'bin'}:{environ['PATH']}"
    program, medium = (subject.peer, of_peers(place)) if who == PEER else (subject.program, of_ours(place))
    found[0].seconds.append(until_started([program, *LINE, medium, "dev"], environ, fake))
    made = len(fake.calls())
    found[1].seconds.append(timed([program, "rm", "-y", "dev"], environ))
    if left := fake.listing()["vms"]:
        raise Failed(f"rm left {len(left)} machine behind")
    return [made, len(fake.calls()) - made]


def of_ours(place: Path) -> str:
    """A disk to boot from."""
    return f"--virtualbox-image={bootable(place / 'boot.img')}"


def of_peers(place: Path) -> str:
    """An ISO, of which it knows no more than the URL."""
    return f"--virtualbox-boot2docker-url=file://{bootable(place / 'boot2docker.iso')}"


def until_started(argv: list[str], environ: Mapping[str, str], fake: Fake) -> float:
    """Seconds until `startvm` was answered; the program and all that it started are ended then."""
    log = fake.directory / "log"
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        while not any(words[0] == "startvm" for words in fake.calls()):
            if process.poll() is not None or time.perf_counter() - began > SECONDS:
                words = log.read_text(errors="replace").strip().splitlines()
                raise Failed(f"status {process.poll()} before startvm, {words[-1][:100] if words else 'no word'}")
            time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        with fake.state():  # so that no VBoxManage is in the midst of writing it
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
