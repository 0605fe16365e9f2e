"""Templates: virtual machines that were saved with their memory when Docker was set up, for others to start from.

IMAGES/templates/
    KEY.json             the manifest: which files are the template; written last, so that it is never half
    KEY-STAMP.qcow2      its disk, over a base image of IMAGES; the disks of machines are overlays over it
    KEY-STAMP.memory     what the hypervisor saved of memory and devices, packed
    KEY.failed           why none could be made, for an hour
    .making-HOST-KEY/    the directory of the virtual machine that becomes this template
    .KEY.lock            held by whoever makes, fetches or removes it
    .uses/               which machines use which disk (image_usage.py)

KEY is a digest of all that must be the same for a machine that starts from it, the computer too: see qemu/shape.py.
The directory may be shared by stores, through a link, and by computers that have one home: STAMP begins with HOST, six
digits of the computer that made the file, and each computer clears up only after itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from machine import files, lock
from machine.drivers.images import disks, image_usage
from machine.errors import DriverError, ImageNotFound, StoreError

DIRECTORY = "templates"
PREFIX = "template-"
PACKERS = {  # program -> command lines that pack and unpack; the first that is there packs
    "zstd": (("zstd", "-q", "-1", "-T0"), ("zstd", "-dcq")),
    "gzip": (("gzip", "-1"), ("gzip", "-dc")),
}
FAILED_SECONDS = 3600.0  # for which a template that could not be made is not tried again
UNUSED_SECONDS = 30 * 86400.0  # after which a template from which nothing was started is swept
MAKING = ".making-"
_KEY = re.compile(r"[0-9a-f]{24}")
_FILE = re.compile(r"[0-9a-f]{24}-[0-9a-f]{12}\.(qcow2|memory)")


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `disk` and `memory` are file names in the directory of templates; `megabytes` the disk's size.

    `base` is the disk of its image as the disk names it: a path relative to that directory, or absolute.
    """

    key: str
    image: str
    disk: str
    memory: str
    packed: str  # the program that packed the memory, one of PACKERS
    base: str
    base_format: str
    megabytes: int
    made: str  # ISO date and time, UTC

    @property
    def name(self) -> str:
        """How `image ls` calls it."""
        return f"{PREFIX}{self.key[:12]}"

    @classmethod
    def of(cls, known: object) -> Template:
        """Return a template as JSON keeps it. Raises ValueError if that is none."""
        if not isinstance(known, dict) or set(known) != set(cls.__slots__):
            raise ValueError("it is no template")
        if not all(type(known[key]) is (int if key == "megabytes" else str) for key in known):
            raise ValueError("a value of it has another kind")
        made = cls(**known)
        if made.packed not in PACKERS:
            raise ValueError("it is packed by an unknown program")
        if not _KEY.fullmatch(made.key) or not all(map(_FILE.fullmatch, (made.disk, made.memory))):
            raise ValueError("it names other files")
        return made


def installed_packer() -> str:
    """Return the program that packs. Raises DriverError if none of PACKERS is installed."""
    found = next((program for program in PACKERS if shutil.which(program)), "")
    if not found:
        raise DriverError("neither zstd nor gzip is installed", resolution="sudo apt-get install zstd")
    return found


class Templates:
    """The templates over the images of one directory."""

    def __init__(
        self, images: str, log: Callable[[str], None], recorded: Callable[[], Collection[str]] = tuple
    ) -> None:
        """`recorded` tells the template disks of the machines of this store, for notes name where they were made."""
        self.directory = os.path.join(images, DIRECTORY)
        self._log, self._recorded = log, recorded

    def find(self, key: str) -> Template | None:
        """Return the template of that key; None if there is none, it is not whole, or others could change it."""
        try:
            manifest = self.path(f"{key}.json")
            found = Template.of(json.loads(files.read_plain(manifest)))
            parts = [manifest, self.path(found.disk), self.path(found.memory)]
            if found.key != key or not all(os.path.isfile(part) for part in parts):
                return None
            unsafe = next((part for part in parts if not files.only_ours(part)), "")
        except (OSError, ValueError, RecursionError):
            return None
        if unsafe:
            self._log(f"{unsafe} is not used: other users of this host could change it")
            return None
        return found

    def all(self) -> list[Template]:
        """Return every whole template, by the name of its image."""
        found = [self.find(entry.removesuffix(".json")) for entry in self._entries() if entry.endswith(".json")]
        return sorted((one for one in found if one), key=lambda one: (one.image, one.made))

    def size(self, template: Template) -> int:
        """Return the bytes that it takes on the disk."""
        return sum(os.stat(self.path(part)).st_blocks * 512 for part in (template.disk, template.memory))

    def path(self, file: str) -> str:
        """Return the path of a file of the directory."""
        return os.path.join(self.directory, file)

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Be the only one at work on this template, of all whose stores have this directory."""
        return lock.hold(self.path(f".{key}.lock"), what="make a template of a virtual machine", say=self._log)

    def is_made_now(self, key: str) -> bool:
        """Whether somebody works on this template."""
        return bool(lock.holder(self.path(f".{key}.lock")))

    def making(self) -> list[str]:
        """Return the key of every template that this computer makes, or should have made, of a virtual machine."""
        start = f"{MAKING}{image_usage.host_tag()}-"
        return [entry.removeprefix(start) for entry in self._entries() if entry.startswith(start)]

    def work_directory(self, key: str) -> str:
        """Return the directory of the virtual machine that becomes this template."""
        return self.path(f"{MAKING}{image_usage.host_tag()}-{key}")

    def new_name(self, key: str) -> str:
        """Return how the files of a new template are called, without their endings."""
        return f"{key}-{image_usage.host_tag()}{secrets.token_hex(3)}"

    def keep(self, template: Template) -> None:
        """Write the manifest: the template, whose files are there, is one from now on."""
        files.write(self.path(f"{template.key}.json"), (json.dumps(asdict(template), indent=1) + "\n").encode())

    def failed(self, key: str) -> str:
        """Return why this template could not be made, not long ago; "" if it was not tried."""
        path = self.path(f"{key}.failed")
        try:
            if not 0 <= time.time() - os.stat(path).st_mtime < FAILED_SECONDS:
                return ""
            return files.read_plain(path).decode("utf-8", "replace")[:1000]
        except OSError:
            return ""

    def note_failure(self, key: str, reason: str) -> None:
        """Note why this template could not be made."""
        with contextlib.suppress(StoreError):
            files.write(self.path(f"{key}.failed"), (reason or "for no known reason").encode())

    def note_start(self, template: Template, machine: str) -> None:
        """Note that the machine with this directory stands on the template from now on."""
        image_usage.note(self.directory, machine, template.disk)
        os.utime(self.path(template.memory))

    def forget(self, key: str, disk: str = "") -> None:
        """Remove a template, and of its files those that no machine needs; for the holder of its lock.

        With `disk`, only if the template still is the one with that disk.
        """
        found = self.find(key)
        if not disk or not found or found.disk == disk:
            files.remove_quietly(self.path(f"{key}.json"))
        self.remove_files(key)

    def users(self, template: Template) -> list[str]:
        """Return the directories of the machines whose disks stand on it."""
        return image_usage.used(self.directory).get(template.disk, [])

    def is_used(self, template: Template) -> bool:
        """Whether a machine stands on it, of this store or of another."""
        return template.disk in self._disks_in_use()

    def remove(self, name: str) -> None:
        """Remove the template that `image ls` calls `name`. Raises DriverError if a machine stands on it.

        Raises ImageNotFound if there is none of that name.
        """
        found = next((one for one in self.all() if one.name == name), None)
        if found is None:
            raise ImageNotFound(f"there is no template {name!r}", resolution="machine image ls shows them")
        with self.lock(found.key):
            if self.is_used(found):
                raise DriverError(
                    f"the {name} is the base of machines that exist",
                    details="\n".join(self.users(found)),
                    resolution="remove those machines first (machine ls shows those of this store)",
                )
            self.forget(found.key)

    def sweep(self) -> list[str]:
        """Remove templates whose image is gone or that are long unused, and files of none; return their images."""
        gone = []
        for found in self.all():
            if self._is_stale(found):
                with self.lock(found.key):
                    self.forget(found.key)
                gone.append(found.image)
        for key in {entry[:24] for entry in self._entries() if self._is_own_file(entry)}:
            if not self.is_made_now(key):
                with self.lock(key):
                    self.remove_files(key)
        for entry in self._entries():
            if entry.endswith(".failed"):
                files.remove_quietly(self.path(entry))
        return gone

    def remove_files(self, key: str) -> None:
        """Remove the files of this key that this computer made and neither its manifest nor a machine needs.

        For the holder of its lock.
        """
        used = self._disks_in_use()
        found = self.find(key)
        needed = {found.disk, found.memory} if found else set()
        for entry in self._entries():
            if entry.startswith(f"{key}-") and self._is_own_file(entry) and entry not in needed and entry not in used:
                disks.remove(self.path(entry))

    def _disks_in_use(self) -> set[str]:
        return {*image_usage.used(self.directory), *self._recorded()}

    def _is_stale(self, template: Template) -> bool:
        if not os.path.exists(self.path(template.base)):
            return True
        unused = time.time() - os.stat(self.path(template.memory)).st_mtime
        return unused > UNUSED_SECONDS and not self.is_used(template)

    def _is_own_file(self, entry: str) -> bool:
        return bool(_FILE.fullmatch(entry)) and entry[25:31] == image_usage.host_tag()

    def _entries(self) -> list[str]:
        return sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else []


def now() -> str:
    """Return the time as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
