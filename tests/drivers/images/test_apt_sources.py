"""What an image is built from: this host's own package sources, in both styles, without what is not Debian's."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.images import apt_sources

DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
OLD_STYLE = f"""\
# the company's
deb http://mirror.corp.example/debian bookworm main contrib # with a word
deb  [arch=amd64,arm64 signed-by={DEBIAN_KEYS}]  http://mirror.corp.example/debian bookworm-updates main
deb http://mirror.corp.example/security bookworm-security main
deb-src http://mirror.corp.example/debian bookworm main
#deb http://off.example/debian bookworm main
deb http://mirror.corp.example/debian bookworm-backports main
deb cdrom:[Debian]/ bookworm main
"""
STANZAS = """\
# comment
Types: deb deb-src
URIs: http://one.example/debian/ http://two.example/debian
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb
URIs: http://inline.example/debian
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""
STRANGERS = """\
deb [signed-by=/etc/apt/keyrings/docker.asc] https://docker.example/linux/debian bookworm stable
deb [signed-by=/usr/share/keyrings/hashi.gpg] https://hashi.example bookworm main
deb https://pg.example/apt bookworm-pgdg main
"""


def etc(where: Path, **files: str) -> str:
    (where / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        path = where / ("sources.list" if name == "main" else f"sources.list.d/{name.replace('_', '.')}")
        path.write_text(text)
    return str(where)


def lines(where: Path, suite: str = "trixie", arch: str = "amd64", **files: str) -> list[str]:
    return apt_sources.lines(suite, arch, etc=etc(where / "apt", **files), lists=str(where / "lists"))


def test_the_old_style(tmp_path: Path) -> None:
    assert lines(tmp_path, "bookworm", main=OLD_STYLE) == [
        "deb http://mirror.corp.example/debian bookworm main",
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.corp.example/debian "
        "bookworm-updates main",
        "deb http://mirror.corp.example/security bookworm-security main",
    ]


def test_a_host_of_another_release_lends_its_mirrors(tmp_path: Path) -> None:
    found = lines(tmp_path, "trixie", main=OLD_STYLE)
    assert [line.split()[-2] for line in found] == ["trixie", "trixie-updates", "trixie-security"]


def test_an_architecture_that_a_mirror_lacks(tmp_path: Path) -> None:
    assert "bookworm-updates" not in " ".join(lines(tmp_path, "bookworm", "riscv64", main=OLD_STYLE))


def test_stanzas(tmp_path: Path) -> None:
    found = lines(tmp_path, debian_sources=STANZAS)
    assert [line.rpartition("] ")[2].removeprefix("deb ") for line in found] == [
        "http://one.example/debian/ trixie main",
        "http://one.example/debian/ trixie-updates main",
        "http://two.example/debian trixie main",
        "http://two.example/debian trixie-updates main",
        "http://inline.example/debian trixie-security main",
    ]


@pytest.mark.parametrize("text", ["", STRANGERS, "deb", "deb [x y z", "\0\0", "deb http://a.example noble main\n"])
def test_a_host_without_any_leaves_it_to_mmdebstrap(tmp_path: Path, text: str) -> None:
    assert lines(tmp_path, main=text, more_list=text, more_sources=text) == []


def test_only_files_that_apt_reads(tmp_path: Path) -> None:
    assert lines(tmp_path, off_list_disabled=OLD_STYLE, old_save=OLD_STYLE) == []


def test_what_apt_has_fetched_tells_whose_an_archive_is(tmp_path: Path) -> None:
    """A company that signs its mirror itself; and somebody's own packages under Debian's words."""
    text = (
        "deb [signed-by=/etc/apt/keyrings/corp.gpg] http://mirror.corp.example/debian bookworm main\n"
        "deb http://own.corp.example/tools bookworm main\n"
    )
    (tmp_path / "lists").mkdir()
    for host, origin in (("mirror.corp.example_debian", "Debian"), ("own.corp.example_tools", "Corp")):
        release = tmp_path / "lists" / f"{host}_dists_bookworm_InRelease"
        release.write_text(f"-----BEGIN PGP SIGNED MESSAGE-----\nOrigin: {origin}\nLabel: x\n")
    assert lines(tmp_path, "bookworm", main=text) == [
        "deb [signed-by=/etc/apt/keyrings/corp.gpg] http://mirror.corp.example/debian bookworm main"
    ]
