"""Which version a build gets from git, and how it gets into what is built."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from machine import __version__
from release.version import next_release, of_commit, written_into

INIT = Path(__file__).parents[2] / "machine" / "__init__.py"


def test_a_tag_is_the_version_and_what_follows_counts_towards_the_next() -> None:
    assert of_commit(SimpleNamespace(exact=True, tag="1.2.3", distance=0)) == "1.2.3"
    assert of_commit(SimpleNamespace(exact=False, tag="1.2.3", distance=7)) == f"{next_release()}.dev7"
    assert of_commit(SimpleNamespace(exact=False, tag="1.2.3", distance=0)) == f"{next_release()}.dev0", "dirty"


def test_the_checkout_says_what_it_works_towards() -> None:
    assert __version__ == f"{next_release()}.dev0"


def test_the_version_is_written_into_a_copy_and_never_into_the_checkout(tmp_path: Path) -> None:
    original, linked = tmp_path / "original.py", tmp_path / "__init__.py"
    original.write_bytes(INIT.read_bytes())
    os.link(original, linked)  # as setuptools makes the tree of an sdist
    written_into(linked, "4.5.6")
    assert '\n__version__ = "4.5.6"\n' in linked.read_text()
    assert original.read_bytes() == INIT.read_bytes()


def test_a_file_without_the_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("version = 1\n")
    with pytest.raises(ValueError, match="0 lines with a __version__"):
        written_into(tmp_path / "__init__.py", "4.5.6")
