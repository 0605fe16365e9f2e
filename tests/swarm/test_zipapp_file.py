"""What is shipped to a machine runs there with nothing but python3."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys
import zipfile
from pathlib import Path

from machine import swarm
from machine.swarm.zipapp_file import bundle


def shipped(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "machine-swarm.pyz"
    path.write_bytes(bundle())
    argv = [sys.executable, "-I", "-S", str(path), *words]  # -S: without any installed package
    return subprocess.run(argv, capture_output=True, text=True, env={}, cwd=tmp_path)


def test_it_runs_alone(tmp_path: Path) -> None:
    done = shipped(tmp_path, "list", "nodes://a:[1:2]")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a:1\na:2\n", "")


def test_every_module_in_it_can_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "x.pyz"
    path.write_bytes(bundle())
    code = (
        "import sys, zipfile, importlib; sys.path.insert(0, sys.argv[1])\n"
        "for name in zipfile.ZipFile(sys.argv[1]).namelist():\n"
        "    if name.startswith('machine/'):\n"
        "        importlib.import_module(name[:-3].replace('/', '.').removesuffix('.__init__'))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_error_is_said_without_a_traceback(tmp_path: Path) -> None:
    done = shipped(tmp_path, "manage", "--strategy=best", "a:1")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: there is no strategy 'best'\n")
    assert "Traceback" not in done.stderr


def test_it_is_small_and_the_same_every_time() -> None:
    bundle.cache_clear()
    first = bundle()
    bundle.cache_clear()
    assert first == bundle()
    assert len(first) < 300_000


def test_it_is_the_package_without_what_no_machine_runs() -> None:
    package = pathlib.Path(swarm.__file__).parent
    files = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    left_out = {name for name in files if name.startswith(("aggregate/", "simulator/"))}
    left_out |= {"backends/aggregate.py", "swarmd.py"}
    packed = zipfile.ZipFile(io.BytesIO(bundle())).namelist()
    assert left_out < files
    assert {name.removeprefix("machine/swarm/") for name in packed if "/swarm/" in name} == files - left_out
