"""The test suites that clients ship in their source archives, run against a manager, an aggregate and an engine.

An archive is fetched from PyPI by pip once and kept under $MACHINE_TEST_CACHE/clients/pypi. A suite's outcome is the
set of its tests that failed; what fails through ours and not at an engine asked directly is our fault, or has a reason.
So an engine is asked only about what failed without a reason.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple
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


class Failed(NamedTuple):
    """Where pytest finds a test that failed, and the first line of why."""

    node: str
    why: str


@dataclass(frozen=True)
class Suite:
    """A directory with tests, and the words by which pytest chooses those that are meant. It runs in copies in `work`.

    `packages` is a tree of PyPI's that stands in place of the tests' own environment.
    """

    directory: Path
    choice: tuple[str, ...]
    work: Path
    packages: Path | None = None

    def failures(self, target: Target, chosen: Sequence[str] = ()) -> dict[str, Failed]:
        """Run the suite, or those of its tests that are chosen, at a target: what failed, by class and name."""
        run = f"{target.name}-{'chosen' if chosen else 'all'}"
        place, report, log = self.work / run, self.work / f"{run}.xml", self.work / f"{run}.log"
        subprocess.run(["cp", "-rL", str(self.directory), str(place)], check=True)
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-o", "addopts="]
        argv += ["-o", "junit_family=xunit1", f"--junitxml={report}", *(chosen or self.choice)]
        environ = environ_of(target, self.work / f"home-{run}", PYTHONPATH=str(self.packages or ""))
        with log.open("wb") as out:
            done = subprocess.run(argv, cwd=place, env=environ, stdout=out, stderr=out, timeout=SECONDS, check=False)
        said = log.read_text()[-2000:]
        assert done.returncode in (0, 1), f"the suite at the {target.name} did not come to its end:\n{said}"
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 (pytest wrote it a moment ago)
        assert len(cases) > 20 or chosen, "these are not the tests of the suite"
        return _failed(cases)


def failures_of_ours(
    found: Mapping[str, Target], suite: Suite, explained: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """What fails at the targets of `explained`, not at an engine asked directly, and has no reason given there."""
    seen = at_all({name: found[name] for name in explained}, suite.failures)
    left = {name: {test: it for test, it in seen[name].items() if test not in explained[name]} for name in seen}
    asked = sorted({failed.node for tests in left.values() for failed in tests.values()})
    # What passes alone may fail among the others, of which it found something left: all of them have the last word.
    for ask in (partial(suite.failures, chosen=asked), suite.failures):
        if any(left.values()):
            there = ask(found["engine"])
            left = {name: {test: it for test, it in tests.items() if test not in there} for name, tests in left.items()}
    return {name: {test: it.why for test, it in tests.items()} for name, tests in left.items() if tests}


def _failed(cases: Sequence[ElementTree.Element]) -> dict[str, Failed]:
    """The tests of a JUnit report that failed or could not be set up."""
    found = {}
    for case in cases:
        file, place, name = case.get("file", ""), case.get("classname", ""), case.get("name", "")
        inside = place.removeprefix(file.removesuffix(".py").replace("/", ".")).removeprefix(".")
        for outcome in case:
            if outcome.tag in ("failure", "error"):
                why = (outcome.get("message") or "").partition("\n")[0][:300]
                node = "::".join(word for word in (file, inside, name) if word)
                found[f"{place.rpartition('.')[2]}.{name}"] = Failed(node, why)
    return found
