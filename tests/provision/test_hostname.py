"""The machine's name in /etc/hosts: run for real, on a copy of the file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from machine.provision.facts import Facts
from machine.provision.planner import hostname

SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "127.0.0.1 localhost\n127.0.1.1 web01.corp.example web01 db.internal # mine\n10.0.0.2 other\n",
            "127.0.0.1 localhost\n127.0.1.1 dev web01.corp.example web01 db.internal # mine\n10.0.0.2 other\n",
        ),
        ("127.0.1.1\tweb01\n127.0.1.1 twice\n", "127.0.1.1\tdev web01\n127.0.1.1 twice\n"),
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n127.0.1.1 dev\n"),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.1.1 dev\n"),
        ("# 127.0.1.1 web01\n127.0.1.10 near\n", "# 127.0.1.1 web01\n127.0.1.10 near\n127.0.1.1 dev\n"),
        (None, "127.0.1.1 dev\n"),
    ],
)
def test_our_name_comes_first_and_the_others_stay(
    tmp_path: Path, shell: list[str], before: str | None, after: str
) -> None:
    file = tmp_path / "hosts"
    if before is not None:
        file.write_text(before)
    step = hostname(Facts(hostname="dev", static_hostname="dev"), "dev")[0]
    script = f"set -eu\n{step.script}".replace("/etc/hosts", str(file))
    subprocess.run([*shell, "-s"], input=script, text=True, check=True, timeout=60)
    assert file.read_text() == after
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_a_host_that_has_the_name_or_keeps_its_own_is_left_alone() -> None:
    there = Facts(hostname="web01", static_hostname="web01", hosts=("web01.corp.example", "web01"))
    assert hostname(there, "web01") == []
    assert hostname(there, "") == []
