"""The test suites that clients ship in their source archives, run against an engine, a manager and an aggregate.

An archive is fetched from PyPI by pip once and kept under $MACHINE_TEST_CACHE/clients/pypi. A suite's outcome is the
set of its tests that failed; what fails through ours and not at an engine asked directly is our fault, or has a reason.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.clients.packages import Unavailable, kept, only_one
from tests.clients.targets import Target, at_all, environ_of

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


def failures(
    found: Mapping[str, Target], suite: Path, words: Sequence[str], work: Path, packages: Path | None = None
) -> dict[str, dict[str, str]]:
    """Run pytest with `words` in a copy of `suite` at each target at the same time: what failed, and why.

    `packages` is a tree of PyPI's that stands in place of the tests' own environment.
    """

    def one(target: Target) -> dict[str, str]:
        place, report = work / target.name, work / f"{target.name}.xml"
        subprocess.run(["cp", "-rL", str(suite), str(place)], check=True)
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-o", "addopts="]
        environ = environ_of(target, work / f"home-{target.name}", PYTHONPATH=str(packages or ""))
        with (work / f"{target.name}.log").open("wb") as log:
            call = [*argv, f"--junitxml={report}", *words]
            done = subprocess.run(call, cwd=place, env=environ, stdout=log, stderr=log, timeout=SECONDS, check=False)
        said = (work / f"{target.name}.log").read_text()[-2000:]
        assert done.returncode in (0, 1), f"the suite at the {target.name} did not come to its end:\n{said}"
        return _read(report)

    return at_all(found, one)


def unexplained(
    found: Mapping[str, Mapping[str, str]], explained: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """What fails at a manager or an aggregate, not at an engine asked directly, and has no reason given."""
    more = {
        name: {test: why for test, why in found[name].items() if test not in found["engine"] and test not in reasons}
        for name, reasons in explained.items()
    }
    return {name: tests for name, tests in more.items() if tests}


def _read(report: Path) -> dict[str, str]:
    """The tests of a JUnit report that failed, and the first line of why."""
    found = {}
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 (pytest wrote it a moment ago)
    assert len(cases) > 20, "these are not the tests of the suite"
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        for outcome in case:
            if outcome.tag in ("failure", "error"):
                found[name] = (outcome.get("message") or "").partition("\n")[0][:300]
    return found
