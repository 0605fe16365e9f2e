"""Base images: names, the cache in the store, and how one gets there.

STORE/cache/images/
    NAME-ARCH.json              the manifest: which files are the image now; written last, so that it is never half
    NAME-ARCH-STAMP.qcow2       the disk; machines are overlays over it, so its content never changes
    NAME-ARCH-STAMP.vmlinuz     the kernel (and .initrd, where one is needed) of an image that was built here
    NAME-ARCH.download.part     a download that was cut short, to be continued
    .build-...                  a build that was cut short, removed by the next one
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from machine import files, paths
from machine.drivers.images import build, disks, fetch
from machine.errors import DriverError
from machine.process import Completed

NAMES = tuple(fetch.SUITES)
FILES = (".qcow2", ".img", ".raw", ".vdi", ".vmdk", ".vhd", ".vhdx")


@dataclass(frozen=True, slots=True)
class Boot:
    """A kernel that qemu loads itself; `root` is the disk as that kernel names it."""

    kernel: str
    initrd: str = ""
    root: str = "/dev/nvme0n1"


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the cache. `disk`, `kernel` and `initrd` are file names in its directory; `origin` says where from.

    `root` is the disk as its kernel names it, "" when the disk has a boot loader. `taught` means that the machine's
    end of the watcher is in it already.
    """

    name: str
    arch: str
    disk: str
    format: str = "qcow2"
    kernel: str = ""
    initrd: str = ""
    root: str = ""
    origin: str = ""
    taught: bool = False
    made: str = ""  # ISO date and time, UTC

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for name in (self.disk, self.kernel, self.initrd) if name)


class Cache:
    """The images of one store. What changes it holds a lock of the store, one per image."""

    def __init__(
        self,
        store: str,
        *,
        lock: Callable[[str], AbstractContextManager[None]],
        run: Callable[..., Completed],
        log: Callable[[str], None],
        site: str = fetch.SITE,
        driver: str = "qemu",
    ) -> None:
        self.directory = paths.cache(store, "images")
        self._lock, self._run, self._log, self._site = lock, run, log, site
        self._driver = driver  # whose flags an error names

    def find(self, name: str, arch: str) -> Image | None:
        """The image of that name, None when the cache has it not, or not whole."""
        try:
            with open(self._manifest(name, arch), encoding="utf-8") as file:
                found = Image(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None
        return found if all(os.path.exists(self.path(part)) for part in found.files) else None

    def all(self) -> list[Image]:
        """Every whole image, by name."""
        found = []
        for entry in sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else []:
            if entry.endswith(".json") and not entry.startswith("."):
                name, _, arch = entry.removesuffix(".json").rpartition("-")
                found.append(self.find(name, arch))
        return [image for image in found if image is not None]

    def path(self, file: str) -> str:
        """A file of the cache; the path itself when it is absolute."""
        return os.path.join(self.directory, file)

    def size(self, image: Image) -> int:
        """Bytes on the disk."""
        return sum(os.stat(self.path(part)).st_blocks * 512 for part in image.files)

    def boot(self, image: Image) -> Boot | None:
        """How qemu starts it, None for by its own boot loader."""
        if not image.kernel:
            return None
        return Boot(self.path(image.kernel), self.path(image.initrd) if image.initrd else "", image.root)

    def obtain(self, word: str, arch: str, mirror: str) -> Image:
        """The image that `--DRIVER-image` means: from the cache, by download, or built here."""
        kind = classify(word, self._driver)
        if kind == "path":
            return self._local(word, arch)
        name = word if kind == "name" else url_name(word)
        with self._lock(f"image-{name}"):
            found = self.find(name, arch)
            if found is not None:
                return found
            if kind == "url":
                return self._pull_url(word, name, arch)
            try:
                return self._pull(name, arch)
            except fetch.Unreachable as error:
                self._log(f"{error.brief} ({error.details}); building {name} from {mirror} instead")
                return self._build(name, arch, mirror)

    def build(self, name: str, arch: str, mirror: str) -> Image:
        """Build the image anew. Machines over an older one keep theirs."""
        _known(name, self._driver)
        with self._lock(f"image-{name}"):
            return self._build(name, arch, mirror)

    def pull(self, word: str, arch: str) -> Image:
        """Download the image anew, by name or URL."""
        kind = classify(word, self._driver)
        if kind == "path":
            raise DriverError(
                f"{word} is a file on this host", resolution=f"use it as it is: --{self._driver}-image PATH"
            )
        name = word if kind == "name" else url_name(word)
        with self._lock(f"image-{name}"):
            return self._pull(name, arch) if kind == "name" else self._pull_url(word, name, arch)

    def remove(self, name: str, arch: str, used: Iterable[str]) -> None:
        """Forget an image and delete its files; DriverError when a machine (`used`: base disks) stands on it."""
        with self._lock(f"image-{name}"):
            image = self.find(name, arch)
            if image is None:
                raise DriverError(f"there is no image {name} in the cache", resolution="machine image ls shows them")
            if image.disk in {os.path.basename(path) for path in used}:
                raise DriverError(
                    f"the image {name} is the base of machines that exist",
                    resolution="remove those machines first (machine ls shows them)",
                )
            os.unlink(self._manifest(name, arch))
            for part in image.files:
                os.unlink(self.path(part))

    def sweep(self, used: Iterable[str]) -> list[str]:
        """Delete disks that no manifest names and no machine stands on; the names of what went."""
        kept = {part for image in self.all() for part in image.files}
        stems = {os.path.basename(path).rpartition(".")[0] for path in used}
        gone = []
        for entry in sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else []:
            stem, _, kind = entry.rpartition(".")
            if kind not in ("qcow2", "vmlinuz", "initrd") or entry in kept or stem in stems:
                continue
            with self._lock(f"image-{stem.rsplit('-', 2)[0]}"):  # one that is being made has no manifest yet
                made = {part for image in self.all() for part in image.files}
                if entry not in made and os.path.exists(self.path(entry)):
                    os.unlink(self.path(entry))
                    gone.append(entry)
        return gone

    def _build(self, name: str, arch: str, mirror: str) -> Image:
        self._sweep_builds(name, arch)
        stem = f"{name}-{arch}-{os.urandom(4).hex()}"
        work = self.path(f".build-{name}-{arch}-{os.urandom(4).hex()}")
        files.make_directory(work)
        try:
            built = build.build(name, arch, mirror, work, run=self._run, log=self._log, driver=self._driver)
            names = {}
            for part, suffix in ((built.disk, "qcow2"), (built.kernel, "vmlinuz"), (built.initrd, "initrd")):
                names[suffix] = f"{stem}.{suffix}" if part else ""
                if part:
                    os.replace(part, self.path(names[suffix]))
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self._keep(
            Image(
                name, arch, names["qcow2"], "qcow2", names["vmlinuz"], names["initrd"], built.root, mirror, taught=True
            )
        )

    def _pull(self, name: str, arch: str) -> Image:
        url, sums = fetch.official(name, arch, self._site)
        listing = fetch.text(sums, driver=self._driver)
        checksum = "sha512:" + fetch.published_sum(listing, url.rpartition("/")[2])
        return self._download(url, name, arch, checksum)

    def _pull_url(self, word: str, name: str, arch: str) -> Image:
        """An URL may carry its checksum: https://host/image.qcow2#sha256:HEX."""
        url, _, fragment = word.partition("#")
        checksum = fragment if fragment.startswith(("sha256:", "sha512:")) else ""
        if not checksum:
            self._log(f"{url} comes without a checksum; add #sha256:HEX to the URL to have it checked")
        return self._download(url, name, arch, checksum)

    def _download(self, url: str, name: str, arch: str, checksum: str) -> Image:
        files.make_directory(self.directory)
        arrived = self.path(f"{name}-{arch}.download")
        fetch.download(url, arrived, checksum, self._log, driver=self._driver)
        kind = disk_format(arrived, self._driver)
        disk = f"{name}-{arch}-{os.urandom(4).hex()}.qcow2"
        os.replace(arrived, self.path(disk))
        return self._keep(Image(name, arch, disk, kind, origin=url))

    def _local(self, word: str, arch: str) -> Image:
        path = os.path.abspath(os.path.expanduser(word))
        return Image(word, arch, path, disk_format(path, self._driver), origin=path)

    def _keep(self, image: Image) -> Image:
        from datetime import UTC, datetime

        made: dict[str, Any] = {**asdict(image), "made": datetime.now(UTC).isoformat(timespec="seconds")}
        text = json.dumps(made, indent=1) + "\n"
        files.write(self._manifest(image.name, image.arch), text.encode())
        return Image(**made)

    def _manifest(self, name: str, arch: str) -> str:
        return self.path(f"{name}-{arch}.json")

    def _sweep_builds(self, name: str, arch: str) -> None:
        for entry in self._entries():
            if entry.startswith(f".build-{name}-{arch}-"):
                shutil.rmtree(self.path(entry), ignore_errors=True)

    def _entries(self) -> Iterator[str]:
        yield from os.listdir(self.directory) if os.path.isdir(self.directory) else ()


def classify(word: str, driver: str = "qemu") -> str:
    """What `--DRIVER-image` is: "url", "path" or "name"; DriverError for a name that is none of ours."""
    if "://" in word:
        return "url"
    if any(mark in word for mark in (os.sep, os.altsep) if mark) or word.startswith(("~", ".")):
        return "path"
    if word.lower().endswith(FILES):
        return "path"
    _known(word, driver)
    return "name"


def url_name(url: str) -> str:
    """The cache's name of an URL: what it is called, and a hash that tells it from its like."""
    file = url.partition("#")[0].rpartition("/")[2].partition("?")[0]
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in file.rpartition(".")[0] or file)[:40]
    return f"{stem or 'image'}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def disk_format(path: str, driver: str = "qemu") -> str:
    """qcow2, raw or another format; DriverError when it is no image that a machine can stand on."""
    try:
        seen = disks.look(path)
    except DriverError as error:
        raise DriverError(
            f"{path} is no disk image that can be read",
            details=error.brief,
            resolution=f"give a qcow2 or raw image with --{driver}-image",
        ) from error
    if seen.base:
        raise DriverError(
            f"{path} stands on another image, {seen.base}",
            resolution=f"make it whole first: qemu-img convert -O qcow2 {path} WHOLE.qcow2",
        )
    return seen.format


def _known(name: str, driver: str) -> None:
    if name not in NAMES:
        raise DriverError(
            f"there is no image called {name!r}",
            details="known names: " + ", ".join(NAMES),
            resolution=f"give one of them, an URL, or a path with a slash in it, with --{driver}-image",
        )
