"""The commands of setuptools that setup.py replaces: they add what is made for a package."""

from __future__ import annotations

from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

from machine.build import FILE, commit
from release import shared_files, version

ROOT = Path(__file__).resolve().parent.parent


class BuildPackage(build_py):
    """The usual build, with version and commit in the package, and manual and completions beside it.

    An editable install has none of these: it reads the checkout.
    """

    def run(self) -> None:
        """Build, then write what is made."""
        super().run()
        package = Path(self.build_lib, "machine")
        if not package.is_dir() or getattr(self, "editable_mode", False):
            return
        found = self.distribution.get_version()
        version.written_into(package / "__init__.py", found)
        (package / FILE).write_text(commit(str(ROOT / "machine")) + "\n")
        place = Path("build", "shared")
        written = shared_files.write(place, found)
        self.distribution.data_files = [
            (f"share/{directory}", [str(place / directory / name) for name in names])
            for directory, names in written.items()
        ]


class SourceArchive(sdist):
    """The usual archive of the sources, which has no git to tell version and commit."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Make the tree, then write both into it."""
        super().make_release_tree(base_dir, files)
        package = Path(base_dir, "machine")
        version.written_into(package / "__init__.py", self.distribution.get_version())
        (package / FILE).unlink(missing_ok=True)
        (package / FILE).write_text(commit(str(ROOT / "machine")) + "\n")


COMMANDS = {"build_py": BuildPackage, "sdist": SourceArchive}
