"""Base images: names, the cache in the store, and how one gets there.

STORE/cache/images/
    NAME-ARCH.json              the manifest: which files are the image now; written last, so that it is never half
    NAME-ARCH-STAMP.qcow2       the disk; machines are overlays over it, so its content never changes. STAMP begins with
                                six digits of the computer that made it
    NAME-ARCH-STAMP.vmlinuz     the kernel (and .initrd, where one is needed) of an image that was built here
    NAME-ARCH-HOST.download.part  a download that was cut short, to be continued
    .build-NAME-ARCH-STAMP      a build that was cut short, removed by the next one (build_directory.py)
    .NAME.lock                  held by whoever makes, fetches or removes that image
    .uses/                      which machines use which disk (image_usage.py)

The directory may be shared: by stores, through a link, and by computers that have one home. So the locks are in it,
names carry the computer they are made on, and what another computer made is swept only when it is long forgotten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from machine import files, lock, paths
from machine.drivers.images import build, build_directory, disks, fetch, image_spec, image_usage, port_reporter_unit
from machine.errors import DriverError, ImageNotFound, PreflightFailed, masked
from machine.process import Completed

NAMES = (*image_spec.SUITES, *(f"{name}{image_spec.GENERIC}" for name in image_spec.SUITES))
FORGOTTEN = (
    7 * 86400.0
)  # seconds after which what another computer left unfinished is swept; a build takes half an hour
NVME = "/dev/nvme0n1"  # the disk as a kernel names it that has no other driver built in
FORMATS = {"qemu": ("raw", "qcow2"), "virtualbox": ("raw", "qcow2", "vdi")}  # the last is unpacked here, never opened
FILES = (".qcow2", ".img", ".raw", ".vdi", ".vmdk", ".vhd", ".vhdx")


@dataclass(frozen=True, slots=True)
class Boot:
    """A kernel that qemu loads itself; `root` is the disk as that kernel names it."""

    kernel: str
    initrd: str = ""
    root: str = NVME


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the cache. `disk`, `kernel` and `initrd` are file names in its directory; `origin` says where from.

    `root` is the disk as its kernel names it, "" when the disk has a boot loader. `taught` means that a port
    reporter is in it already.
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
    agent: str = ""  # the version of its port reporter; "" for one from before there were versions

    @classmethod
    def of(cls, known: Any) -> Image:
        """An image as JSON keeps it. Raises TypeError if that is none. Keys that are not known here are passed over."""
        if not isinstance(known, dict):
            raise TypeError("an image is a JSON object")
        made = cls(**{key: known[key] for key in cls.__slots__ if key in known})
        if not all(type(getattr(made, key)) is (bool if key == "taught" else str) for key in cls.__slots__):
            raise TypeError("a value of an image has another kind")
        return made

    @property
    def up_to_date(self) -> bool:
        """Whether today's version of the port reporter is in it already."""
        return self.taught and self.agent == port_reporter_unit.VERSION

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for name in (self.disk, self.kernel, self.initrd) if name)


class Cache:
    """The images of one store. What changes them holds a lock in their own directory, one per image.

    `machine` is the directory of the machine that `obtain` is for, "" for none: the image is noted as used by it.
    """

    def __init__(
        self,
        store_root: str,
        *,
        run: Callable[..., Completed],
        log: Callable[[str], None],
        site: str = fetch.SITE,
        driver_name: str = "qemu",
        machine: str = "",
    ) -> None:
        self.directory = paths.cache(store_root, "images")
        self._run, self._log, self._site = run, log, site
        self._driver_name = driver_name  # whose flags an error names
        self._machine = machine

    def find(self, name: str, arch: str) -> Image | None:
        """The image of that name, None when the cache has it not, or not whole."""
        try:
            if not _plain(name):
                return None
            found = Image.of(json.loads(files.read_plain(self._manifest(name, arch))))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if not all(map(_plain, found.files)):
            return None  # files elsewhere are none of the cache's, and would be removed with the image
        return found if all(os.path.isfile(self.path(part)) for part in found.files) else None

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
        kind = classify(word, self._driver_name)
        if kind == "path":
            return self._local(word, arch)
        name = word if kind == "name" else url_name(word)
        with self.lock(name):
            found = self.find(name, arch) or self._get(kind, word, name, arch, mirror)
            if self._machine:
                image_usage.note(self.directory, self._machine, found.disk)
            return found

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Be the only one at work on the image `name`, of all whose stores have this directory for a cache."""
        return lock.hold(self._lock_path(name), what=f"get the image {name}", say=self._log)

    def _lock_path(self, name: str) -> str:
        return self.path(f".{name}.lock")

    def _get(self, kind: str, word: str, name: str, arch: str, mirror: str) -> Image:
        if kind == "url":
            return self._pull_url(word, name, arch)
        try:
            return self._pull(name, arch)
        except fetch.Unreachable as error:
            self._log(f"{error.brief} ({error.details}); building {name} from {mirror or build.THIS_HOST} instead")
            return self._build(name, arch, mirror)

    def build(self, name: str, arch: str, mirror: str) -> Image:
        """Build the image anew. Machines over an older one keep theirs."""
        _known(name, self._driver_name)
        with self.lock(name):
            return self._build(name, arch, mirror)

    def pull(self, word: str, arch: str) -> Image:
        """Download the image anew, by name or URL."""
        kind = classify(word, self._driver_name)
        if kind == "path":
            raise DriverError(
                f"{word} is a file on this host", resolution=f"use it as it is: --{self._driver_name}-image PATH"
            )
        name = word if kind == "name" else url_name(word)
        with self.lock(name):
            return self._pull(name, arch) if kind == "name" else self._pull_url(word, name, arch)

    def remove(self, name: str, arch: str, used: Iterable[str]) -> None:
        """Forget an image and delete its files. Raises DriverError if a machine uses it (`used`: disks in use).

        Raises ImageNotFound if the cache has none of that name; then nothing is written either.
        """
        unknown = ImageNotFound(f"there is no image {name!r} in the cache", resolution="machine image ls shows them")
        if self.find(name, arch) is None:
            raise unknown
        with self.lock(name):
            image = self.find(name, arch)
            if image is None:
                raise unknown
            others = image_usage.used(self.directory).get(image.disk, [])
            if others or image.disk in {os.path.basename(path) for path in used}:
                raise DriverError(
                    f"the image {name} is the base of machines that exist",
                    details="".join(f"{place}\n" for place in others).strip(),
                    resolution="remove those machines first (machine ls shows those of this store)",
                )
            os.unlink(self._manifest(name, arch))
            for part in image.files:
                os.unlink(self.path(part))
            lock.drop(self._lock_path(name))

    def sweep(self, used: Iterable[str]) -> list[str]:
        """Delete disks that no manifest names and no machine uses; return the names of what was deleted.

        What builds that were cut short have left goes too, unless that image is being made.
        """
        for entry in self._entries():
            name, _, arch = entry.removeprefix(".build-").rpartition("-")[0].rpartition("-")
            if entry.startswith(".build-") and name and not lock.holder(self._lock_path(name)):
                with self.lock(name):
                    self._sweep_builds(name, arch)
        kept = {part for image in self.all() for part in image.files}
        stems = {os.path.basename(path).rpartition(".")[0] for path in (*used, *image_usage.used(self.directory))}
        gone = []
        for entry in sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else []:
            stem, _, kind = entry.rpartition(".")
            if kind not in ("qcow2", "vmlinuz", "initrd") or entry in kept or stem in stems:
                continue
            with self.lock(stem.rsplit("-", 2)[0]):  # one that is being made has no manifest yet
                made = {part for image in self.all() for part in image.files}
                if entry not in made and os.path.exists(self.path(entry)) and self._is_stale(entry):
                    os.unlink(self.path(entry))
                    gone.append(entry)
        return gone

    def _build(self, name: str, arch: str, mirror: str) -> Image:
        self._sweep_builds(name, arch)
        stem = f"{name}-{arch}-{_stamp()}"
        work = self.path(f".build-{name}-{arch}-{_stamp()}")
        files.need_directory(work)
        try:
            built = build.build(name, arch, mirror, work, run=self._run, log=self._log, driver_name=self._driver_name)
            names = {}
            for part, suffix in ((built.disk, "qcow2"), (built.kernel, "vmlinuz"), (built.initrd, "initrd")):
                names[suffix] = f"{stem}.{suffix}" if part else ""
                if part:
                    os.replace(part, self.path(names[suffix]))
        finally:
            build_directory.remove(work, self._run, seconds=build_directory.END_SECONDS)
        image = Image(name, arch, names["qcow2"], "qcow2", names["vmlinuz"], names["initrd"], built.root)
        origin = mirror or build.THIS_HOST
        return self._keep(replace(image, origin=origin, taught=True, agent=port_reporter_unit.VERSION))

    def _pull(self, name: str, arch: str) -> Image:
        url, sums = fetch.official(name, arch, self._site)
        listing = fetch.text(sums, driver_name=self._driver_name)
        checksum = "sha512:" + fetch.published_sum(listing, url.rpartition("/")[2])
        return self._download(url, name, arch, checksum)

    def _pull_url(self, word: str, name: str, arch: str) -> Image:
        """An URL may carry its checksum: https://host/image.qcow2#sha256:HEX."""
        url, checksum = fetch.split(word)
        if not checksum:
            self._log(f"{masked(url)} comes without a checksum; add #sha256:HEX to the URL to have it checked")
        return self._download(url, name, arch, checksum)

    def _download(self, url: str, name: str, arch: str, checksum: str) -> Image:
        files.need_directory(self.directory)
        arrived = self.path(f"{name}-{arch}-{image_usage.host_tag()}.download")
        fetch.download(url, arrived, checksum, self._log, driver_name=self._driver_name)
        try:
            kind = disk_format(arrived, self._driver_name, called=url)
        except DriverError:
            os.unlink(arrived)
            raise
        disk = f"{name}-{arch}-{_stamp()}.qcow2"
        os.replace(arrived, self.path(disk))
        return self._keep(Image(name, arch, disk, kind, origin=url))

    def _local(self, word: str, arch: str) -> Image:
        path = os.path.abspath(os.path.expanduser(word))
        return Image(word, arch, path, disk_format(path, self._driver_name), origin=path)

    def _keep(self, image: Image) -> Image:
        made: dict[str, Any] = {**asdict(image), "made": datetime.now(UTC).isoformat(timespec="seconds")}
        text = json.dumps(made, indent=1) + "\n"
        files.write(self._manifest(image.name, image.arch), text.encode())
        return Image(**made)

    def _manifest(self, name: str, arch: str) -> str:
        return self.path(f"{name}-{arch}.json")

    def _sweep_builds(self, name: str, arch: str) -> None:
        for entry in self._entries():
            if entry.startswith(f".build-{name}-{arch}-") and self._is_stale(entry):
                build_directory.remove(self.path(entry), self._run)

    def _is_stale(self, entry: str) -> bool:
        """Whether nobody works on a file or directory that has no manifest; for the holder of its image's lock.

        On some file systems a lock holds on one computer only, so what another one made must be old.
        """
        maker = entry.partition(".")[0] if not entry.startswith(".") else entry
        stamp = maker.rpartition("-")[2]
        if len(stamp) != len(_stamp()) or stamp.startswith(image_usage.host_tag()):
            return True
        return time.time() - os.stat(self.path(entry)).st_mtime > FORGOTTEN

    def _entries(self) -> Iterator[str]:
        yield from os.listdir(self.directory) if os.path.isdir(self.directory) else ()


def classify(word: str, driver_name: str = "qemu") -> str:
    """What `--DRIVER-image` is: "url", "path" or "name". Raises DriverError for a name that is none of ours."""
    if "://" in word:
        fetch.split(word)
        return "url"
    if any(mark in word for mark in (os.sep, os.altsep) if mark) or word.startswith(("~", ".")):
        return "path"
    if word.lower().endswith(FILES):
        return "path"
    _known(word, driver_name)
    return "name"


def url_name(url: str) -> str:
    """The cache's name of a URL: what it is called, and a hash that tells it from its like."""
    file = url.partition("#")[0].rpartition("/")[2].partition("?")[0]
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in file.rpartition(".")[0] or file)[:40]
    return f"{stem.lstrip('.') or 'image'}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def disk_format(path: str, driver_name: str = "qemu", called: str = "") -> str:
    """qcow2, raw, or what else the driver takes. Raises DriverError for no image, or one that needs another file.

    `called` is where it is from, for errors.
    """
    name = called or path
    try:
        seen = disks.check_plain(path, name, FORMATS.get(driver_name, FORMATS["qemu"]))
    except DriverError as error:
        raise DriverError(
            f"{name} is no disk image that can be used",
            details=error.brief,
            resolution=f"{error.resolution}; --{driver_name}-image takes images that need no other file",
        ) from error
    if seen.base:
        raise DriverError(
            f"{name} stands on another image, {seen.base!r}",
            resolution=f"if you trust it, make it whole first: qemu-img convert -O qcow2 {name} WHOLE.qcow2",
        )
    return seen.format


def _stamp() -> str:
    """Twelve digits for a name that no other computer, and nobody here, gives: the computer's, and at random."""
    return image_usage.host_tag() + os.urandom(3).hex()


def _plain(name: str) -> bool:
    """Whether it names a file of the cache's own directory, and none that is hidden."""
    return bool(name) and name == os.path.basename(name) and not name.startswith(".")


def _known(name: str, driver_name: str) -> None:
    if name not in NAMES:
        raise PreflightFailed(
            f"there is no image called {name!r}",
            details="known names: " + ", ".join(NAMES),
            resolution=_another_image(name, driver_name),
        )


def _another_image(name: str, driver_name: str) -> str:
    """What to give instead of a name that is none: any image with cloud-init will do, by its URL."""
    ubuntu = re.fullmatch(r"ubuntu-?([0-9]{2}\.[0-9]{2})?", name.lower())
    release = (ubuntu[1] if ubuntu else "") or "24.04"
    example = (
        f"https://cloud-images.ubuntu.com/releases/{release}/release/ubuntu-{release}-server-cloudimg-amd64.img"
        if ubuntu
        else "URL"
    )
    return (
        f"give one of them, or the URL of any cloud image: machine image pull {example};"
        f" machine create --{driver_name}-image {example}, or a path with a slash in it"
    )
