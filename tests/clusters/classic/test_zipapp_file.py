"""What is shipped to a machine runs there with nothing but python3."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys
import zipfile
from pathlib import Path

from machine import swarm
from machine.clusters.classic.zipapp_file import bundle


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


def test_it_is_the_whole_package_and_nothing_else_of_the_product() -> None:
    package = pathlib.Path(swarm.__file__).parent
    files = {f"machine/swarm/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    packed = {name for name in zipfile.ZipFile(io.BytesIO(bundle())).namelist() if not name.startswith("h11/")}
    assert packed == files | {"__main__.py", "machine/__init__.py", "machine/errors.py"}


def test_a_manager_loads_no_part_of_the_product_but_the_package() -> None:
    code = "import sys, machine.swarm.cli; print(*(name for name in sys.modules if name.startswith('machine.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = [name for name in done.stdout.split() if not name.startswith(("machine.swarm.", "machine.errors"))]
    assert others == ["machine.swarm"]
