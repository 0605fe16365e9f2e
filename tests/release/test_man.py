"""The man pages: one for each command, with all of its flags, and without a fault that groff would warn of."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.cli.commands import COMMANDS
from machine.cli.main import load, parser_of
from release import man, roff

PAGES = man.pages("1.2.3")


def test_every_command_has_a_page_with_all_its_flags() -> None:
    for command in COMMANDS:
        page = PAGES[f"machine-{command}.1"]
        for flag in parser_of(command, load(command), ["-d", "qemu"], {}).flags():
            assert roff.bold(flag) in page, (command, flag)


def test_the_names_are_as_whatis_reads_them() -> None:
    for name, page in PAGES.items():
        if not page.startswith(".so "):
            assert re.search(r'^\.SH "NAME"\n\S+ \\- \S.*\n\.SH', page, re.MULTILINE), name
            assert '"machine 1.2.3"' in page.splitlines()[0]


def test_text_is_never_a_command_of_roff() -> None:
    assert roff.escape(".so /etc/passwd\n'br") == "\\&.so /etc/passwd\n\\(aqbr"
    assert roff.escape("C:\\new --long `x`") == "C:\\enew \\-\\-long \\(gax\\(ga"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_has_nothing_to_warn_of(tmp_path: Path) -> None:
    (tmp_path / "man1").mkdir()
    for name, page in PAGES.items():
        (tmp_path / "man1" / name).write_text(page)
    pages = sorted((tmp_path / "man1").iterdir())
    command = ["groff", "-man", "-ww", "-Tutf8", "-z", "-s"]
    for path in pages:
        done = subprocess.run([*command, path], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), path.name


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_what_is_read_is_what_was_meant() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-c", "-rLL=200n"],
        input=PAGES["machine-env.1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    text = re.sub(r".\x08", "", done.stdout)
    assert 'eval "$(machine env NAME)"' in text
    assert "--shell SHELL" in text
    assert "\\(" not in text
