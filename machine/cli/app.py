"""`App`, what every command gets: the store, the console, the environment, stdout, the global flags."""

from __future__ import annotations

from machine.errors import MachineNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from machine.cli.global_flags import GlobalFlags
    from machine.console import Console
    from machine.session import Session
    from machine.store import Record, Store

DEFAULT_NAME = "default"  # the machine that is meant when no name is given


class App:
    """One call of this program. The store and the console are opened when first used."""

    def __init__(
        self, flags: GlobalFlags, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO, prog: str = "machine"
    ) -> None:
        self.flags = flags
        self.environ = environ
        self.stdout = stdout
        self.stderr = stderr
        self.prog = prog  # "docker-machine" when called so
        self.command = ""  # of this command line, and the words after it
        self.arguments: list[str] = []
        self.machine = ""  # the one machine that the command is about, for errors; "" if there are several, or none yet
        self._store: Store | None = None
        self._console: Console | None = None

    @property
    def store(self) -> Store:
        """The store of --storage-path, $MACHINE_STORAGE_PATH or the default place; an absolute path."""
        if self._store is None:
            import os

            from machine import paths
            from machine.store import Store

            root = self.flags.storage_path or paths.default_store(dict(self.environ))
            self._store = Store(os.path.abspath(os.path.expanduser(root)), self.environ)
            self._store.on_load = self._ensure_forwarder
        return self._store

    def _share_has_ended(self, directory: str) -> bool:
        """Return whether a process that shares a directory has ended, by itself; loads next to nothing."""
        import os

        from machine import background

        try:
            names = os.listdir(directory)
        except OSError:  # a machine that is being removed
            return False
        locks = [name for name in names if name.startswith("share-") and name.endswith(".lock")]
        return any(background.missing(os.path.join(directory, name)) for name in locks)

    def _ensure_forwarder(self, record: Record) -> None:
        """Start a machine's processes here again that have ended; called whenever a record is loaded."""
        import os

        from machine import paths

        if record.shares() and self._share_has_ended(paths.machine(self.store.root, record.name)):
            from machine.lifecycle import share

            share.restart(self.open_session(), record)

        path = paths.machine(self.store.root, record.name, paths.FORWARDER_LOCK)
        if not os.path.exists(path):
            return
        from machine import background

        if background.missing(path):
            from machine.lifecycle.forwarder import restart

            restart(self.open_session(), record)

    @property
    def console(self) -> Console:
        """Progress and warnings, on stderr."""
        if self._console is None:
            from machine.console import Console

            self._console = Console(self.stderr, log_format=self.flags.log_format, debug=self.flags.debug)
        return self._console

    def open_session(self) -> Session:
        """Return the store, console and environment of this call, for machine.lifecycle."""
        from machine.session import Session

        tls = {
            "ca_cert": self.flags.tls_ca_cert,
            "ca_key": self.flags.tls_ca_key,
            "client_cert": self.flags.tls_client_cert,
            "client_key": self.flags.tls_client_key,
        }
        return Session(store=self.store, console=self.console, environ=self.environ, tls=tls)

    def print_text(self, text: str) -> None:
        """Print data on stdout, a line or several; control characters in it are escaped (machine.printable)."""
        from machine.printable import in_text

        self.stdout.write(in_text(text) + "\n")

    def print_raw(self, text: str) -> None:
        """Print data for a shell or another program, already quoted for it, without a change."""
        self.stdout.write(text + "\n")

    def print_json(self, value: object, *, indent: int | None = 4) -> None:
        """Print a JSON document on stdout: with `indent`, or in one line for None."""
        import json

        from machine.printable import in_json

        separators = (",", ":") if indent is None else None
        document = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
        self.stdout.write(in_json(document) + "\n")

    def names(self, typed_names: Sequence[str]) -> list[str]:
        """Return the names typed, or that of the machine "default" if there are none.

        Raises MachineNotFound without one, or for all names that no machine has.
        """
        if typed_names:
            self.store.require(*typed_names)
            return list(typed_names)
        if self.store.exists(DEFAULT_NAME):
            return [DEFAULT_NAME]
        raise MachineNotFound(
            "no machine name given, and there is no machine called default",
            resolution="name one of: " + " ".join(self.store.names()) if self.store.names() else "machine create dev",
        )

    def name(self, typed_name: str | None) -> str:
        """Return the name typed, or that of the machine "default". Raises MachineNotFound without one."""
        self.machine = self.names([typed_name] if typed_name else [])[0]
        return self.machine
