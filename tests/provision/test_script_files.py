"""The scripts in machine/provision/scripts: each is sound by itself, and is installed with the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from machine.provision import script_files

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "machine/provision/scripts").iterdir())


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    """Left out: what is true of a part of a script.

    SC2034 SC2154 SC2317 SC2329 what other parts use or define; SC2030 SC2031 variables of a subshell; SC1102 SC2043
    SC2170 a placeholder where there will be several words, or a number; SC2164 a step runs under `set -e`; SC1003
    SC2016 text for sed and file names that are to be taken as they are.
    """
    left_out = "SC2034,SC2154,SC2317,SC2329,SC2030,SC2031,SC2043,SC1102,SC2170,SC2164,SC1003,SC2016"
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-e", left_out, *map(str, FILES)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == ""


def test_every_script_is_installed_with_the_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["machine"]
    installed = {path for pattern in patterns for path in (ROOT / "machine").glob(pattern)}
    assert len(FILES) > 20
    assert set(FILES) <= installed


def test_every_script_is_used() -> None:
    code = "".join(path.read_text() for path in (ROOT / "machine").rglob("*.py"))
    assert {path.stem for path in FILES} == set(re.findall(r'script_files\.read\(\s*"(\w+)"', code))


def test_a_placeholder_on_a_line_of_its_own_stands_for_whole_lines() -> None:
    script = "begin\n@LINES@\nend\n"
    assert script_files.fill(script, lines="a\nb\n") == "begin\na\nb\nend\n"
    assert script_files.fill(script, lines="a") == "begin\na\nend\n"
    assert script_files.fill(script, lines="") == "begin\nend\n"


def test_any_other_placeholder_stands_for_a_part_of_its_line() -> None:
    assert script_files.fill("  @A@\ncat @A@@B2@ >@A@\n", a="x", b2=1) == "  x\ncat x1 >x\n"


def test_what_is_put_in_is_not_looked_through_again() -> None:
    assert script_files.fill("@A@ @B@", a="@B@", b="c") == "@B@ c"


@pytest.mark.parametrize("values", [{}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}])
def test_placeholders_and_values_are_the_same_names(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="placeholders"):
        script_files.fill("@A@ @B@", **values)
