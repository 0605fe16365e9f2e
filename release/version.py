"""The version of what is built: a tag `vX.Y.Z` at HEAD, else the next one's development version, counted in commits.

    HEAD is tagged v1.2.3 and clean     1.2.3
    else                                1.3.0.dev57: 1.3.0 of `__version__`, 57 commits after the last tag

setuptools-scm asks git, at build time only; an sdist carries the answer in PKG-INFO. `written_into` puts it into the
package that is built, so that the installed program reads a constant.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from machine import __version__

TAG = re.compile(r"v(\d+\.\d+\.\d+(?:rc\d+)?)")
_LINE = re.compile(r'^__version__ = "[^"]*"$', re.MULTILINE)


def next_release() -> str:
    """The release that the checkout works towards: 1.3.0 while `__version__` is 1.3.0.dev0."""
    return __version__.partition(".dev")[0]


def scm_version() -> dict[str, Any]:
    """The configuration of setuptools-scm. Without git and PKG-INFO the version is that of the checkout."""
    describe = "git describe --dirty --tags --long --match v[0-9]*"
    return {
        "version_scheme": of_commit,
        "local_scheme": "no-local-version",  # the commit is told beside the version; an index refuses local versions
        "fallback_version": __version__,
        "git_describe_command": describe,
    }


def of_commit(found: Any) -> str:
    """The version of what setuptools-scm found (a ScmVersion)."""
    if found.exact and found.tag is not None:
        return str(found.tag)
    return f"{next_release()}.dev{found.distance or 0}"


def written_into(file: Path, version: str) -> None:
    """Write a version into a copy of machine/__init__.py. Raises ValueError if the line is not there exactly once.

    The file is replaced, not written to: an sdist's tree has hard links to the checkout.
    """
    text, count = _LINE.subn(f'__version__ = "{version}"', file.read_text())
    if count != 1:
        raise ValueError(f"{file} has {count} lines with a __version__, not one")
    copy = file.with_name(file.name + ".new")
    copy.write_text(text)
    os.replace(copy, file)
