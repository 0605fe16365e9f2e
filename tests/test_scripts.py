"""The scripts behind `make`: what they make works on machines that differ from the author's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.labs.openstack import needs

SCRIPTS = Path(__file__).parent.parent / "scripts"


def test_a_dynamic_busybox_brings_its_libraries(tmp_path: Path) -> None:
    """On Debian's own machines busybox is not static; any dynamically linked program stands for it here."""
    listed = subprocess.run(["ldd", "/bin/ls"], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"/\S+", listed)
    if not libraries:
        pytest.skip("/bin/ls of this system is static, or there is no ldd")
    program = tmp_path / "path" / "busybox"
    program.parent.mkdir()
    shutil.copy("/bin/ls", program)
    subprocess.run(
        [SCRIPTS / "busybox-root", tmp_path / "root"],
        env={"PATH": f"{program.parent}:/usr/bin:/bin"},
        check=True,
    )
    assert (tmp_path / "root/bin/busybox").read_bytes() == program.read_bytes()
    assert (tmp_path / "root/bin/sh").readlink() == Path("busybox")
    for library in libraries:
        assert (tmp_path / "root" / library.lstrip("/")).is_file(), library


def test_a_static_busybox_comes_alone(tmp_path: Path) -> None:
    program = tmp_path / "path" / "busybox"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    root = tmp_path / "root"
    subprocess.run([SCRIPTS / "busybox-root", root], env={"PATH": f"{program.parent}:/usr/bin:/bin"}, check=True)
    assert sorted(path.name for path in root.iterdir()) == ["bin"]


def test_a_venv_whose_python_is_gone_is_made_anew(tmp_path: Path) -> None:
    """After an upgrade of the system. What is no venv is left alone. pip finds no index here and gives up."""
    venv, other = tmp_path / "venv", tmp_path / "other"
    for place in (venv, other):
        (place / "bin").mkdir(parents=True)
        (place / ".installed").touch()
        (place / "mine").touch()
        (place / "bin" / "python").symlink_to(tmp_path / "gone")
    (venv / "pyvenv.cfg").touch()
    os.utime(venv / ".installed")
    environ = {"PATH": "/usr/bin:/bin", "PYTHON": "no-such-python", "PIP_NO_INDEX": "1", "HOME": str(tmp_path)}
    for place in (venv, other):
        subprocess.run([SCRIPTS / "make-venv", place], env=environ, check=False, capture_output=True, timeout=600)
    assert not (venv / "mine").exists()
    assert (other / "mine").exists()


def test_the_long_tests_say_what_they_lack_and_do_not_begin(tmp_path: Path) -> None:
    """Without its tools on the PATH, or without root, no cloud can be started: nothing is tried and nothing skips."""
    for program in ("bash", "env", "dirname"):
        (tmp_path / program).symlink_to(shutil.which(program) or program)
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        [SCRIPTS / "test-long"], env={"PATH": str(tmp_path), "HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("lab hosts need "), "root, or the tools"
    assert last == "test-long cannot run here: see the lines above and tests/labs/openstack/README.md"
    assert done.stdout == ""


def test_what_is_scarce_for_a_cloud_is_said_with_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_TEST_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(needs, "DISK", 1 << 60)
    monkeypatch.setattr(needs, "MEMORY", 0)
    (line,) = needs.scarce()
    assert re.fullmatch(
        rf"a cloud needs \d+ GB of disk at {tmp_path} \(or MACHINE_TEST_LAB_CACHE\); \d+ are free", line
    )
