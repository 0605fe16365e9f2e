"""The test suites that clients ship in their source archives, run against an engine, a manager and an aggregate.

An archive is fetched from PyPI by pip once and kept under $MACHINE_TEST_CACHE/clients/pypi. A suite's outcome is the
set of its tests that failed; what fails through ours and not at an engine asked directly is our fault, or has a reason.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.clients.packages import Unavailable, kept, only_one
from tests.sshd import free_port
from tests.swarm.engines import RealEngine
from tests.swarm.islands import Islands
from tests.swarm.real_manager import Manager
from tests.swarm.test_swarmd import swarmd

IMAGES = ("busybox:latest", "alpine:3.10", "alpine:latest", "python:3.13-alpine", "python:3.14-alpine")
SECONDS = 900  # for one suite


def source_archive(name: str, version: str) -> Path:
    """Return the directory of an unpacked source archive of PyPI; skips the test, with the reason, without one."""
    tree = kept() / "clients" / "pypi" / f"{name}-{version}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with only_one(tree.parent / f"{name}.lock"):
        if not tree.exists():
            try:
                _fetch(name, version, tree)
            except Unavailable as error:
                pytest.skip(f"needs the sources of {name} {version}: {error}")
    return tree


def _fetch(name: str, version: str, tree: Path) -> None:
    with tempfile.TemporaryDirectory(dir=tree.parent) as work:
        words = ["download", "--quiet", "--no-deps", "--no-binary", name, f"{name}=={version}", "--dest", work]
        pip = [sys.executable, "-m", "pip"]
        if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
            raise Unavailable("there is no pip")
        done = subprocess.run([*pip, *words], capture_output=True, text=True, timeout=300, check=False)
        archives = list(Path(work).glob("*.tar.gz"))
        if done.returncode != 0 or not archives:
            raise Unavailable(done.stderr.strip()[-300:])
        with tarfile.open(archives[0]) as archive:
            archive.extractall(work, filter="data")
        next(path for path in Path(work).iterdir() if path.is_dir()).rename(tree)


def load_images(engines: Sequence[RealEngine]) -> None:
    """Give engines what the suites call busybox, alpine and python: one image each, of the same id on all of them.

    Each has every applet of this host's static busybox.
    """
    first, *others = engines
    for image in IMAGES:
        words = ["docker", "-H", first.admin, "import", "-c", 'CMD ["sh"]', "-", image]
        subprocess.run(words, input=_root_file_system(), capture_output=True, check=True, timeout=120)
    saved = subprocess.run(["docker", "-H", first.admin, "save", *IMAGES], capture_output=True, check=True, timeout=120)
    for engine in others:
        words = ["docker", "-H", engine.admin, "load"]
        subprocess.run(words, input=saved.stdout, capture_output=True, check=True, timeout=120)


def _root_file_system() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for place in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var"):
            directory = tarfile.TarInfo(place)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if place == "tmp" else 0o755
            tar.addfile(directory)
        tar.add(os.path.realpath("/bin/busybox"), "bin/busybox")
        listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout
        for applet in sorted(set(listed.split()) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name, text in {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}.items():
            file, content = tarfile.TarInfo(f"etc/{name}"), text.encode()
            file.size = len(content)
            tar.addfile(file, io.BytesIO(content))
    return out.getvalue()


@contextmanager
def targets(directory: Path) -> Iterator[dict[str, str]]:
    """URLs of an engine, of a manager over two others and of an aggregate of two more; with the suites' images."""
    with ExitStack() as stack:
        engines = stack.enter_context(Islands(5))
        load_images(engines)
        manager = stack.enter_context(Manager(engines[1:3], directory))
        url = f"tcp://127.0.0.1:{free_port()}"
        joined = " ".join(f'"dockerclient {engine.url}"' for engine in engines[3:])
        stack.enter_context(swarmd(f"dockerserver {url}", f"aggregate {joined}"))
        yield {"engine": engines[0].url, "manager": manager.url, "aggregate": url}


def failures(urls: Mapping[str, str], suite: Path, words: Sequence[str], work: Path) -> dict[str, dict[str, str]]:
    """Run pytest with `words` in a copy of `suite` against each of `urls` at the same time: what failed, and why."""
    reports = {name: work / f"{name}.xml" for name in urls}
    threads = []
    for name, url in urls.items():
        place = work / name
        subprocess.run(["cp", "-rL", str(suite), str(place)], check=True)
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", "-o", "addopts="]
        call = [*argv, f"--junitxml={reports[name]}", *words]
        environ = {**os.environ, "DOCKER_HOST": url, "HOME": str(work / f"home-{name}"), "PYTHONPATH": ""}
        (work / f"home-{name}").mkdir()
        log = work / f"{name}.log"
        threads.append(threading.Thread(target=_run, args=(call, place, environ, log)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: _read(report) for name, report in reports.items()}


def _run(argv: list[str], place: Path, environ: dict[str, str], log: Path) -> None:
    with log.open("wb") as file:
        subprocess.run(argv, cwd=place, env=environ, stdout=file, stderr=file, timeout=SECONDS, check=False)


def _read(report: Path) -> dict[str, str]:
    """The tests of a JUnit report that failed, and the first line of why."""
    found = {}
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 (pytest wrote it a moment ago)
    assert len(cases) > 20, "the suite did not run"
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        for outcome in case:
            if outcome.tag in ("failure", "error"):
                found[name] = (outcome.get("message") or "").partition("\n")[0][:300]
    return found
