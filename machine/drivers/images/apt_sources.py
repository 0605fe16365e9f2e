"""The package sources of this host, as far as an image of Debian can be built from them.

All of /etc/apt/sources.list, sources.list.d/*.list and *.sources are read (sources.list(5)). An entry counts when it is
Debian's archive, or a mirror of it: a release of Debian's with the component main, and not signed with another key
than Debian's unless apt has seen there that its origin is Debian.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ETC, LISTS = "/etc/apt", "/var/lib/apt/lists"
LARGEST = 1 << 20  # bytes of one file that are read; they are written by hand
RELEASES = frozenset(
    [
        "buster",
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    ]
)
SUFFIXES = ("-updates", "-security")  # what belongs to a release and is wanted; backports and proposed are not
_KEPT = ("signed-by", "trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure")  # options of a line
_DEBIAN_KEYS = "debian-archive-"  # how the names of Debian's own keyring files begin
_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line `deb [options] uri suite components`; the names of options are in lower case."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str:
        """The value of an option, "" for none."""
        return next((value for key, value in self.options if key == name), "")


def lines(suite: str, arch: str, *, etc: str = ETC, lists: str = LISTS) -> list[str]:
    """The lines of sources.list for an image of Debian's release `suite`, made of this host's; [] when it has none.

    A host of another release lends its mirrors: its release is replaced by `suite`.
    """
    found = []
    for entry in read(etc):
        release, suffix = _split(entry.suite)
        arches = entry.option("arch").replace(",", " ").split()
        if release not in RELEASES or "main" not in entry.components or (arches and arch not in arches):
            continue
        if entry.uri.startswith("cdrom:") or not _is_debian(entry, lists):
            continue
        kept = " ".join(f"{key}={value}" for key, value in entry.options if key in _KEPT)
        found.append(f"deb {f'[{kept}] ' if kept else ''}{entry.uri} {suite}{suffix} main")
    return list(dict.fromkeys(found)) if any(line.endswith(f" {suite} main") for line in found) else []


def read(etc: str = ETC) -> Iterator[Entry]:
    """Every entry for binary packages that is switched on."""
    yield from parse_lines(_text(os.path.join(etc, "sources.list")))
    parts = os.path.join(etc, "sources.list.d")
    for name in sorted(os.listdir(parts)) if os.path.isdir(parts) else []:
        if name.endswith(".list"):
            yield from parse_lines(_text(os.path.join(parts, name)))
        elif name.endswith(".sources"):
            yield from parse_deb822(_text(os.path.join(parts, name)))


def parse_lines(text: str) -> Iterator[Entry]:
    """The one-line style."""
    for line in text.splitlines():
        found = _LINE.match(line.strip())
        if found:
            words = (found["options"] or "").split()
            options = tuple(
                (key.lower().rstrip("+-"), value) for key, _, value in (word.partition("=") for word in words)
            )
            yield Entry(found["uri"], found["suite"], tuple(found["components"].split()), options)


def parse_deb822(text: str) -> Iterator[Entry]:
    """The style of stanzas; a key that stands in the file itself is left out."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = _fields(stanza.splitlines())
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        names = {"architectures": "arch"}
        options = tuple(
            (names.get(key, key), value.replace(" ", ","))
            for key, value in fields.items()
            if (key in _KEPT or key in names) and "BEGIN PGP" not in value
        )
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Entry(uri, suite, tuple(fields.get("components", "").split()), options)


def _fields(rows: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    last = ""
    for row in rows:
        if row.startswith("#"):
            continue
        if row[:1] in (" ", "\t"):
            found[last] = f"{found.get(last, '')} {row.strip()}".strip()
            continue
        key, colon, value = row.partition(":")
        last = key.strip().lower() if colon else ""
        found[last] = value.strip()
    return found


def _split(suite: str) -> tuple[str, str]:
    """(release, what follows) of a suite: bookworm-updates is ("bookworm", "-updates")."""
    for suffix in SUFFIXES:
        if suite.endswith(suffix):
            return suite.removesuffix(suffix), suffix
    return suite, ""


def _is_debian(entry: Entry, lists: str) -> bool:
    """What apt has fetched says whose archive it is; before it has, the key that it is signed with."""
    plain = re.sub(r"^[a-z0-9+.-]+://(?:[^/@]*@)?", "", entry.uri.rstrip("/")).replace("_", "%5f")
    stem = os.path.join(lists, f"{plain}/dists/{entry.suite}".replace("/", "_"))
    for name in ("_InRelease", "_Release"):
        origin = re.search(r"^Origin:\s*(.*?)\s*$", _text(stem + name), re.MULTILINE)
        if origin:
            return origin[1] == "Debian"
    keys = entry.option("signed-by")
    return not keys or all(os.path.basename(key).startswith(_DEBIAN_KEYS) for key in keys.split(","))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except OSError:
        return ""
