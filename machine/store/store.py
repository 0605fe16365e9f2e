"""The store as a whole: which machines there are; load, save, add, lock and delete one."""

from __future__ import annotations

import os
import stat

from machine import files, paths
from machine.errors import MachineExists, MachineNotFound, RecordBroken, StoreError
from machine.names import check, natural_key
from machine.store.document import LARGEST, locate, record_error
from machine.store.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager


class Store:
    """The store at `root`, an absolute path that need not exist yet.

    `environ` says where secrets are kept (machine/secrets.py).
    """

    def __init__(self, root: str, environ: Mapping[str, str] = os.environ) -> None:
        self.root = root
        self._environ = environ
        self.on_load: Callable[[Record], None] | None = None  # told of each record that is read

    def names(self) -> list[str]:
        """Every machine, broken ones too, in natural order. Raises StoreError if the directory cannot be listed.

        Directories with a leading dot, and those whose names a terminal cannot show, are no machines.
        """
        try:
            with os.scandir(paths.machines(self.root)) as entries:
                found = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable_error(paths.machines(self.root), error) from error
        return sorted((name for name in found if name.isprintable()), key=natural_key)

    def exists(self, name: str) -> bool:
        """Whether there is a machine of that name, broken or not."""
        return _is_safe_name(name) and os.path.isdir(self.directory(name))

    def require(self, *names: str) -> None:
        """Raise MachineNotFound if there is no machine of one of these names: one error, which tells all of them."""
        missing = [name for name in dict.fromkeys(names) if not self.exists(name)]
        if missing:
            raise self.not_found_error(*missing, typed=names)

    def directory(self, name: str) -> str:
        """The machine's own directory, whether or not it exists."""
        return paths.machine(self.root, name)

    def load(self, name: str) -> Record:
        """The record of `name`: MachineNotFound, or RecordBroken when its config.json cannot be used."""
        if not self.exists(name):
            raise self.not_found_error(name)
        try:
            record = Record.parse(self._read(name), self.root, name)
        except RecordBroken as error:
            locate(error, self.root, name)
            raise
        if self.on_load is not None:
            self.on_load(record)
        return record

    def save(self, record: Record) -> None:
        """Write config.json whole or not at all, 0600.

        Raises StoreError if there is no room, MachineNotFound if it was removed.

        Secrets that an old record holds in clear text move to the secrets file first. The bytes of a record that
        was migrated are kept as config.json.bak.
        """
        from machine import secrets

        directory = self.directory(record.name)
        if not self.exists(record.name):
            raise self.not_found_error(record.name)
        secrets.move(
            directory,
            record.driver_keys.secrets,
            record.driver_object,
            self._environ,
            together=record.driver_keys.secrets_belong_together,
        )
        data = record.encode()
        if record.old_bytes is not None:
            files.write(os.path.join(directory, paths.CONFIG + ".bak"), record.old_bytes)
        files.write(os.path.join(directory, paths.CONFIG), data)
        record.old_bytes = None

    def add(self, name: str) -> None:
        """Take the name: make the machine's empty directory, 0700.

        Raises NameInvalid if it cannot be one, MachineExists if it is taken, StoreError if the directory cannot be
        made.
        """
        from machine.store import remove

        check(name)
        try:
            files.make_directory(paths.machines(self.root))
            remove.sweep(paths.machines(self.root))
            os.mkdir(self.directory(name), 0o700)
        except FileExistsError:
            raise self._exists_error(name) from None
        except OSError as error:
            raise _unreadable_error(self.directory(name), error) from error

    def delete(self, name: str) -> None:
        """Remove the machine's directory with all that is in it.

        Raises MachineNotFound if there is none, StoreError if it cannot be removed.

        A delete that is killed half-way leaves no half machine behind: the rest goes with the next add or delete.
        """
        from machine.store import remove

        if not _is_safe_name(name) or not os.path.lexists(self.directory(name)):
            raise self.not_found_error(name)
        remove.remove(paths.machines(self.root), name)

    def check_removable(self, name: str) -> None:
        """Check that `delete` could remove the machine's directory.

        Raises StoreError if its place is not writable, or a link.
        """
        from machine.store import remove

        remove.check_removable(paths.machines(self.root), name)

    def lock(
        self, name: str, *, seconds: float | None = None, what: str, say: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold the lock called `name` inside a `with`; see machine.lock.hold, and paths.lock for the names."""
        from machine import lock

        return lock.hold(paths.lock(self.root, name), seconds=seconds, what=what, say=say)

    def drop_lock(self, name: str) -> None:
        """Remove the file of a lock that is held here, as what it was for is gone. Whoever waits makes a new one."""
        from machine import lock

        lock.drop(paths.lock(self.root, name))

    def holder(self, name: str) -> str:
        """The id of the process that holds the lock called `name` now, "" if none does."""
        from machine import lock

        return lock.holder(paths.lock(self.root, name))

    def _read(self, name: str) -> bytes:
        path = paths.machine(self.root, name, paths.CONFIG)
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise record_error(name, f"{path} is not a file")
            if status.st_size > LARGEST:
                raise record_error(name, f"{path} has {status.st_size} bytes")
            with open(path, "rb") as file:
                return file.read(LARGEST + 1)
        except FileNotFoundError:
            if os.path.islink(path):
                raise record_error(name, f"{path} is a link to nowhere") from None
            raise record_error(
                name,
                f"{self.directory(name)} has no {paths.CONFIG}: a create was killed at its start, or the file was lost",
                f"drop it: machine rm -f {name}",
            ) from None
        except OSError as error:
            raise RecordBroken(
                f"the record of machine {name} cannot be read: {error.strerror or error}",
                details=f"{path} cannot be read: {error.strerror or error}",
                resolution=f"make it yours: chown, chmod u+r {path}",
            ) from error

    def not_found_error(self, *names: str, typed: Collection[str] = ()) -> MachineNotFound:
        """Return the one error for one or several names that no machine has, with the names that may be meant.

        `typed` are all names of the command line: none of them was meant by another one.
        """
        from machine.nearest import nearest

        known = self.names()
        others = [name for name in known if name not in typed]
        similar = dict.fromkeys(filter(None, (nearest(name, others) for name in names)))
        more = ", ".join(f'"{name}"' for name in names[1:])
        return MachineNotFound(
            f'Docker machine "{names[0]}" does not exist' + (f", nor {more}" if more else ""),
            machine=names[0],
            details="" if known else f"the store {self.root} has no machines",
            resolution=f"did you mean {', '.join(similar)}?"
            if similar
            else "machine ls shows all; machine create makes one",
        )

    def _exists_error(self, name: str) -> MachineExists:
        return MachineExists(
            f'Docker machine "{name}" already exists',
            machine=name,
            resolution=f"choose another name for the new one, or remove the old one first: machine rm {name}",
        )


def _is_safe_name(name: str) -> bool:
    """Whether `name` can be a machine's directory at all, and no way out of the store."""
    return bool(name) and not name.startswith(".") and not any(sign in name for sign in ("/", "\\", "\0"))


def _unreadable_error(path: str, error: OSError) -> StoreError:
    return StoreError(
        f"the store cannot be used: {path}: {error.strerror or error}",
        resolution=files.in_the_way(path, error)
        or "make it yours (chown -R, chmod u+rwx), or choose another store with --storage-path",
    )
