"""The manager and the agent as one file that any python3 (3.11 or newer) runs: `python3 machine-swarm.pyz manage ...`.

A zipapp with the package machine.swarm, and with machine.errors and h11, which is all that the package imports:
https://docs.python.org/3/library/zipapp.html . The same sources give the same bytes, so that a host that has the file
need not get it again.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from functools import cache

import h11

import machine

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can say
_MAIN = b"import sys\nfrom machine.swarm.cli import main\nsys.exit(main())\n"


@cache
def bundle() -> bytes:
    """The file's content, about 270 kB."""
    out = io.BytesIO()
    out.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted([("__main__.py", _MAIN), *_sources()]):
            entry = zipfile.ZipInfo(name.replace(os.sep, "/"), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compresslevel=9)
    return out.getvalue()


def _sources() -> Iterator[tuple[str, bytes]]:
    package = os.path.dirname(os.path.abspath(machine.__file__))
    for name in ("__init__.py", "errors.py"):
        yield os.path.join("machine", name), _read(os.path.join(package, name))
    for path in _python(os.path.join(package, "swarm")):
        yield os.path.join("machine", os.path.relpath(path, package)), _read(path)
    home = os.path.dirname(os.path.abspath(h11.__file__))
    for path in _python(home):
        yield os.path.join("h11", os.path.relpath(path, home)), _read(path)


def _python(directory: str) -> Iterator[str]:
    for place, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in ("__pycache__", "tests")]
        yield from (os.path.join(place, name) for name in names if name.endswith(".py"))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
