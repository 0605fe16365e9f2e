"""Writes the commit into the package that is built, for `machine version`. All else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
from machine.build import FILE, commit  # noqa: E402


class BuildWithCommit(build_py):
    """The usual build, and one more file; an editable install reads the checkout instead."""

    def run(self) -> None:
        """Build, then write the file."""
        super().run()
        target = Path(self.build_lib, "machine")
        if target.is_dir() and not getattr(self, "editable_mode", False):
            (target / FILE).write_text(commit(str(ROOT / "machine")) + "\n")


setup(cmdclass={"build_py": BuildWithCommit})
