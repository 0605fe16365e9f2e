"""The Debian package: the wheel's content in a private directory, and Debian's own Python packages for all it needs.

It is put together by dpkg-deb alone, so that it can be built on any Debian or Ubuntu. Python's files go to
/usr/share/machine, as Debian's policy has it for a program's own modules: nothing else imports a module `certs`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import tempfile
import tomllib
import zipfile
from email.utils import formatdate
from pathlib import Path

from release.process import run
from release.shared_files import BASH, FISH, MAN, ZSH

HERE = Path(__file__).resolve().parent
FILES = HERE / "debian"
NAME = "machine"
MODULES = f"usr/share/{NAME}"
DOC = f"usr/share/doc/{NAME}"
PLACES = {BASH: f"usr/share/{BASH}", ZSH: "usr/share/zsh/vendor-completions", FISH: f"usr/share/{FISH}"}
MAINTAINER = "The maintainers of machine <noreply@github.com>"
_DATA = re.compile(r"[^/]+\.data/data/share/(.+)")


def build(out: Path, wheel: Path, epoch: int) -> Path:
    """Build the package out of the wheel into `out`; return its path."""
    version = debian_version(wheel.name.split("-")[1])
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory, "tree")
        tree.mkdir(mode=0o755)
        _unpack(wheel, tree)
        _launchers(tree)
        _documentation(tree, version, epoch)
        _copy("rtupdate", tree / f"usr/share/python3/runtime.d/{NAME}.rtupdate", 0o755)
        _copy("lintian-overrides", tree / f"usr/share/lintian/overrides/{NAME}", 0o644)
        _control(tree, version)
        _settle(tree, epoch)
        target = out / f"{NAME}_{version}_all.deb"
        environ = {"SOURCE_DATE_EPOCH": str(epoch)}
        run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, target], environ=environ)
    return target


def debian_version(version: str) -> str:
    """A Python version as Debian orders it: what comes before a release is lower than the release."""
    return re.sub(r"\.?(dev|rc)(?=\d)", r"~\1", version)


def depends() -> str:
    """The field Depends: Debian's names of the project's dependencies, with the project's own lower bounds."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    wanted = [f"python3 (>= {project['requires-python'].removeprefix('>=')}~)"]
    for requirement in project["dependencies"]:
        name, _, bound = requirement.partition(">=")
        wanted.append(f"python3-{name} (>= {bound})")
    return ", ".join(wanted)


def _unpack(wheel: Path, tree: Path) -> None:
    """Put the wheel's files into their places; what describes the wheel stays out."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if found := _DATA.fullmatch(name):
                _shared(tree, found[1], archive.read(name))
            elif name.startswith(("machine/", "certs/")):
                _write(tree / MODULES / name, archive.read(name))


def _shared(tree: Path, path: str, data: bytes) -> None:
    directory, name = str(Path(path).parent), Path(path).name
    if directory == MAN:
        _write(tree / "usr/share" / MAN / f"{name}.gz", gzip.compress(data, 9, mtime=0))
    else:
        _write(tree / PLACES[directory] / name, data)


def _launchers(tree: Path) -> None:
    """Write the programs: the same as the wheel's, by way of the private directory."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    text = (FILES / "launcher").read_text()
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        script = text.replace("@MODULES@", f"/{MODULES}").replace("@MODULE@", module).replace("@FUNCTION@", function)
        _write(tree / "usr/bin" / name, script.encode(), 0o755)


def _documentation(tree: Path, version: str, epoch: int) -> None:
    date = formatdate(epoch)
    entry = "  * What is new is in CHANGELOG.md.gz, beside this file."
    log = f"{NAME} ({version}) unstable; urgency=medium\n\n{entry}\n\n -- {MAINTAINER}  {date}\n"
    _write(tree / DOC / "changelog.gz", gzip.compress(log.encode(), 9, mtime=0))
    _write(tree / DOC / "CHANGELOG.md.gz", gzip.compress((HERE.parent / "CHANGELOG.md").read_bytes(), 9, mtime=0))
    _copy("copyright", tree / DOC / "copyright", 0o644)


def _control(tree: Path, version: str) -> None:
    place = tree / "DEBIAN"
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    text = (FILES / "control").read_text()
    for field, value in {"VERSION": version, "MAINTAINER": MAINTAINER, "DEPENDS": depends(), "SIZE": str(size)}.items():
        text = text.replace(f"@{field}@", value)
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files)  # noqa: S324
    _write(place / "md5sums", "".join(sums).encode())  # the format is MD5; apt trusts other digests
    _write(place / "control", text.encode())
    _copy("postinst", place / "postinst", 0o755)
    _copy("prerm", place / "prerm", 0o755)


def _settle(tree: Path, epoch: int) -> None:
    """Give every file and directory the same time, and directories the usual mode."""
    for path in [tree, *tree.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (epoch, epoch))


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def _copy(name: str, path: Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(FILES / name, path)
    path.chmod(mode)
