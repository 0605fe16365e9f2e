"""machine.pyz as an ordinary user starts it, with a bare python3 that has none of the libraries."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from release import pyz as building
from release import pyz_main, pyz_unpack
from tests.ordinary_user import OrdinaryUser, ordinary_user
from tests.release.conftest import VERSION

PYTHON = "/usr/bin/python3"
HERE = Path(pyz_main.__file__).parent


def test_every_python_3_reads_the_first_module_to_say_which_one_is_needed() -> None:
    ast.parse((HERE / "pyz_main.py").read_text(), feature_version=(3, 5))


@pytest.mark.parametrize("home", ["", "somewhere", "~"])
def test_a_user_without_a_home_gets_nothing_into_the_working_directory(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", home))
    with pytest.raises(FileNotFoundError, match="no home directory"):
        pyz_main.cache()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pyz_main.cache() == str(tmp_path / "machine/pyz")


def test_a_cache_that_another_user_can_put_another_in_the_place_of_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "machine/pyz/version"
    assert not pyz_main.is_private(str(place))
    place.mkdir(mode=0o700, parents=True)
    assert pyz_main.is_private(str(place))
    (tmp_path / "machine").chmod(0o777)
    with pytest.raises(PermissionError, match="another user") as caught:
        pyz_main.is_private(str(place))
    assert caught.value.filename == str(tmp_path / "machine")


@pytest.fixture
def user(public: Path) -> OrdinaryUser:
    """An ordinary user who has downloaded machine.pyz."""
    found = subprocess.run(
        [PYTHON, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, text=True
    )
    if found.stdout != "True\n":
        pytest.skip("the system's own python3 is missing, or older than 3.11")
    return ordinary_user(public)


@pytest.fixture
def pyz(dist: Path, user: OrdinaryUser) -> Path:
    """The file in the user's home."""
    shutil.copy(dist / "machine.pyz", user.home)
    return user.give(user.home / "machine.pyz")


def unpacked(user: OrdinaryUser) -> list[Path]:
    """What is in the cache."""
    place = user.home / ".cache/machine/pyz"
    return sorted(place.iterdir()) if place.exists() else []


@pytest.mark.slow
def test_an_ordinary_user_runs_it_and_makes_a_machine(user: OrdinaryUser, pyz: Path) -> None:
    first = user.run([pyz, "version"])
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"machine version {VERSION}, build ")
    made = user.run([pyz, "create", "-d", "none", "--url", "tcp://127.0.0.1:1", "dev"])
    assert made.returncode == 0, made.stderr
    assert user.run([pyz, "ls", "-q"]).stdout == "dev\n"
    assert (user.home / ".docker/machine/certs/ca.pem").is_file(), "cryptography comes out of the file"
    (place,) = unpacked(user)
    assert (place.stat().st_mode & 0o777, place.stat().st_uid) == (0o700, user.uid)
    for name in ("cryptography", "paramiko", "rich", "pycdlib", "h11"):
        assert (place / name).is_dir(), f"{name} is not the system's"


@pytest.mark.slow
def test_every_library_is_found_in_the_file_and_none_in_the_system(user: OrdinaryUser, pyz: Path) -> None:
    user.run([pyz, "version"])
    (place,) = unpacked(user)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import cryptography.x509, paramiko, rich.console, pycdlib, h11, bcrypt, nacl.signing, _cffi_backend\n"
        "import machine.drivers.qemu.driver, machine.lifecycle.create, machine.swarm.cli, machine.swarmd.serve\n"
    )
    done = user.run([PYTHON, "-S", "-c", code, place])  # -S: without the system's own packages
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_docker_plugin_starts_the_file(user: OrdinaryUser, pyz: Path) -> None:
    path = user.run([pyz, "plugin", "install"]).stdout.strip()
    answer = user.run([path, "docker-cli-plugin-metadata"])
    assert json.loads(answer.stdout)["Version"] == f"v{VERSION}", answer.stderr


@pytest.mark.slow
def test_one_killed_while_it_unpacks_leaves_nothing_that_is_taken_for_whole(user: OrdinaryUser, pyz: Path) -> None:
    process = user.start(pyz, "version")
    deadline = time.monotonic() + 60
    while not any((place / "certs").exists() for place in unpacked(user)):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (unfinished,) = unpacked(user)
    assert unfinished.name.startswith(pyz_unpack.UNFINISHED)
    assert user.run([pyz, "version"]).returncode == 0
    assert len(unpacked(user)) == 2, "it may be at work still, for all that others know"
    day_ago = time.time() - 2 * pyz_unpack.DAY
    os.utime(unfinished, (day_ago, day_ago))
    for place in unpacked(user):
        if place != unfinished:
            shutil.rmtree(place)
    assert user.run([pyz, "version"]).returncode == 0
    assert not unfinished.exists(), "a day later it is swept"


@pytest.mark.slow
def test_several_at_once_unpack_it_and_all_run(user: OrdinaryUser, pyz: Path) -> None:
    processes = [user.start(pyz, "version") for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.startswith("machine version ")
    assert len(unpacked(user)) == 1


@pytest.mark.slow
def test_a_damaged_file_is_told_and_nothing_of_it_runs(user: OrdinaryUser, pyz: Path) -> None:
    data = bytearray(pyz.read_bytes())
    with zipfile.ZipFile(pyz) as archive:
        middle = archive.getinfo(pyz_unpack.PAYLOAD).header_offset + 1_000_000
    data[middle] ^= 1
    pyz.write_bytes(data)
    done = user.run([pyz, "version"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "damaged" in done.stderr
    assert "Try: download it again" in done.stderr
    assert "Traceback" not in done.stderr
    assert unpacked(user) == []


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine.pyz whose program prints a line of its module `more` and loads `late` when it is asked to."""
    main = "import more\ndef main():\n    import sys\n    if 'late' in sys.argv:\n"
    main += "        try:\n            import late\n        except Exception:\n            return 1\n"
    main += "    print(more.LINE)\n    return 0\n"
    files = [("machine/__init__.py", ""), ("machine/cli/__init__.py", ""), ("machine/cli/main.py", main)]
    files += [("more.py", "LINE = 'all is there'\n"), ("late.py", "")]
    payload = building.packed([(f"common/{name}", text.encode()) for name, text in files], 0, zipfile.ZIP_DEFLATED)
    own = [(f"release/{name}", (HERE / name).read_bytes()) for name in ("__init__.py", "pyz_unpack.py")]
    first = (HERE / "pyz_main.py").read_text().replace("@DIGEST@", hashlib.sha256(payload).hexdigest())
    target = tmp_path / "machine.pyz"
    target.write_bytes(
        building.packed([("__main__.py", first.encode()), *own, (pyz_unpack.PAYLOAD, payload)], 0, zipfile.ZIP_STORED)
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return target


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("more.py", None),
        ("more.py", ""),
        ("more.py", "LINE = 'all is thers'("),
        ("machine/cli/main.py", None),
        ("late.py", None),
    ],
)
def test_a_damaged_cache_is_told_and_unpacked_anew_by_the_next_start(little: Path, file: str, text: str | None) -> None:
    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-B", str(little), "late"], capture_output=True, text=True, timeout=60)

    assert start().stdout == "all is there\n"
    (place,) = (little.parent / "cache/machine/pyz").iterdir()
    if text is None:
        (place / file).unlink()
    else:
        (place / file).write_text(text)
    done = start()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {place / file} was missing or damaged, and was removed with what is beside it\n"
        "Try: run this command again\n"
    )
    assert list(place.parent.iterdir()) == []
    done = start()
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is there\n", "")


def test_a_failure_of_its_own_stays_as_it_is_where_the_file_was_removed_meanwhile(little: Path) -> None:
    code = "import os, sys\nos.remove(sys.argv[2])\nraise ImportError('its own')\n"
    subprocess.run([sys.executable, "-B", str(little)], capture_output=True, timeout=60, check=True)
    (place,) = (little.parent / "cache/machine/pyz").iterdir()
    (place / "late.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-B", str(little), "late", str(little)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.slow
def test_a_directory_that_others_can_write_to_is_refused(user: OrdinaryUser, pyz: Path) -> None:
    user.run([pyz, "version"])
    (place,) = unpacked(user)
    place.chmod(0o770)
    done = user.run([pyz, "version"])
    assert done.returncode == 1
    assert f"{place} cannot be used: it is not a directory of this user's alone" in done.stderr
    shutil.rmtree(place)
    place.parent.chmod(0o777)
    done = user.run([pyz, "version"])
    assert done.returncode == 1
    assert "others than this user may write to it" in done.stderr
    place.parent.chmod(0o700)
    elsewhere = user.home / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    place.symlink_to(elsewhere)
    assert "not a directory of this user's alone" in user.run([pyz, "version"]).stderr


@pytest.mark.slow
def test_a_home_that_cannot_be_written_to_is_told(user: OrdinaryUser, pyz: Path) -> None:
    done = user.run([pyz, "version"], {"HOME": "/proc"})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: /proc/.cache")
    assert "Try: XDG_CACHE_HOME=/a/directory/of/yours " in done.stderr
    assert user.run([pyz, "version"], {"HOME": "/proc", "XDG_CACHE_HOME": str(user.home / "c")}).returncode == 0


@pytest.mark.slow
def test_another_platform_is_told_how_to_install_it(user: OrdinaryUser, pyz: Path) -> None:
    code = (
        "import os, runpy, sys; real = os.uname()\n"
        "os.uname = lambda: os.uname_result((*real[:4], 'riscv64'))\n"
        "sys.modules['bcrypt'] = None\n"
        "import importlib.util; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'bcrypt' else found(name)\n"
        "sys.argv = [sys.argv[1], 'version']; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = user.run([PYTHON, "-c", code, pyz])
    assert done.returncode == 1
    assert "Linux with glibc 2.34 or newer on x86_64 and aarch64" in done.stderr
    assert "Try: install it with: pipx install container-hosts" in done.stderr
    assert unpacked(user) == []
