"""What works for root works for everybody: the tests of files, keys, certificates, ssh and qemu, run by a user.

A test run as root sees no missing permission. Where the tests run as an ordinary user anyhow there is nothing to do.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
from pathlib import Path

import pytest

from tests.ordinary_user import run_as_somebody

ROOT = Path(__file__).parents[1]
TESTS = (
    *("archive", "authority", "store", "ssh", "drivers/images", "drivers/qemu"),
    *("test_console.py", "test_docker_config.py", "test_docker_context.py", "test_files.py", "test_lock.py"),
    *("test_login_service.py", "test_modes.py", "test_secrets.py", "lifecycle/test_engine_socket.py"),
)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run as an ordinary user already")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the mount namespaces of Linux")
def test_the_units_pass_for_an_ordinary_user(public: Path) -> None:
    for tool in ("unshare", "setpriv", "mount"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    needed = [ROOT, Path(sys.prefix), Path(sys.base_prefix), *map(Path, site.getsitepackages())]
    needed += [Path(place) for place in sys.path if os.path.isdir(place)]
    unit = ["-m", "not lab and not vm and not slow", "-p", "no:cacheprovider", "-o", "addopts=", "-q", "-n", "2"]
    done = run_as_somebody(
        [
            sys.executable,
            "-m",
            "pytest",
            *unit,
            "--rootdir",
            str(ROOT),
            *(str(ROOT / "tests" / name) for name in TESTS),
        ],
        needed,
        public,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout.splitlines()[-1]
