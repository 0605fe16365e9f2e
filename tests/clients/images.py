"""Images that clients' suites ask for, made of what this host has: its static busybox and its Python."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path

from tests.swarm.engines import RealEngine

SHELL_IMAGES = ("busybox:latest", "alpine:3.10", "alpine:latest")
PYTHON_IMAGE = "python:3.13-alpine"
NEWER_PYTHON_IMAGE = "python:3.14-alpine"
ANY_PYTHON_IMAGE = "python:latest"
IMPORTED = "code, readline, rlcompleter, socket, http.server, json, time, signal, subprocess, encodings.idna, shlex"
DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var")


def make_images(engine: RealEngine) -> bytes:
    """Make what the suites call busybox, alpine and python on an engine; the archive of them all, for `give_images`.

    Each has every applet of this host's static busybox; the images `python` have this host's Python, too.
    """
    for image in SHELL_IMAGES:
        _docker(engine, "import", "-c", 'CMD ["sh"]', "-", image, sent=_root_file_system(()))
    _docker(engine, "import", "-c", 'CMD ["python"]', "-", PYTHON_IMAGE, sent=_root_file_system(_python_files()))
    _docker(engine, "tag", PYTHON_IMAGE, ANY_PYTHON_IMAGE)
    container = _docker(engine, "create", PYTHON_IMAGE).decode().strip()
    _docker(engine, "commit", container, NEWER_PYTHON_IMAGE)
    _docker(engine, "rm", container)
    return _docker(engine, "save", *SHELL_IMAGES, PYTHON_IMAGE, ANY_PYTHON_IMAGE, NEWER_PYTHON_IMAGE)


def give_images(archive: bytes, engines: Iterable[RealEngine]) -> None:
    """Load the archive into engines; an image has one id on all of them."""
    for engine in engines:
        _docker(engine, "load", sent=archive)


def _docker(engine: RealEngine, *words: str, sent: bytes = b"") -> bytes:
    argv = ["docker", "-H", engine.admin, *words]
    return subprocess.run(argv, input=sent, capture_output=True, check=True, timeout=120).stdout


def _root_file_system(files: Collection[str]) -> bytes:
    """A tar archive with busybox, its applets and `files` of this host at their own paths."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for place in DIRECTORIES:
            directory = tarfile.TarInfo(place)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if place == "tmp" else 0o755
            tar.addfile(directory)
        tar.add(os.path.realpath("/bin/busybox"), "bin/busybox")
        listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout
        for applet in sorted(set(listed.split()) - {"busybox"}):
            _link(tar, f"bin/{applet}", "busybox")
        for name, text in {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}.items():
            file, content = tarfile.TarInfo(f"etc/{name}"), text.encode()
            file.size = len(content)
            tar.addfile(file, io.BytesIO(content))
        for path in files:
            tar.add(os.path.realpath(path), path.lstrip("/"))
        if files:
            for name in ("python", "python3"):
                _link(tar, f"bin/{name}", _interpreter())
    return out.getvalue()


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    tar.addfile(link)


def _interpreter() -> str:
    """The path of the interpreter itself, not of a virtual environment's link to it."""
    return os.path.realpath(sys.executable)


def _python_files() -> list[str]:
    """Paths of the interpreter, the modules that it loads for what the suites run, and the libraries of all these."""
    program = f"import sys, {IMPORTED}; print(*(getattr(m, '__file__', None) or '' for m in [*sys.modules.values()]))"
    printed = subprocess.run([_interpreter(), "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    modules = [path for path in printed.stdout.split() if os.path.isabs(path)]
    standard = Path(os.__file__).parent
    modules += [str(path) for path in (standard / "site.py", *standard.glob("_sitebuiltins.py")) if path.exists()]
    compiled = [_interpreter(), *(path for path in modules if path.endswith(".so"))]
    return sorted({*compiled, *modules, *_compiled_sources(modules), *_libraries(compiled)})


def _compiled_sources(modules: Iterable[str]) -> list[str]:
    """The compiled forms of sources, where this host keeps them: they make its start faster."""
    tag = f"{sys.implementation.cache_tag}.pyc"
    beside = (Path(path).parent / "__pycache__" / f"{Path(path).stem}.{tag}" for path in modules)
    return [str(path) for path in beside if path.exists()]


def _libraries(files: Iterable[str]) -> list[str]:
    """Paths of the shared libraries that ldd names for files."""
    printed = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", printed, re.MULTILINE)
