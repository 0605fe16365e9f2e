"""What ssh, scp and mount share: the login of a machine, and its driver's explanation once that has failed."""

from __future__ import annotations

import os

from machine import paths
from machine.errors import CommandFailed, MachineError, NotSupported
from machine.ssh import known_hosts as knownhosts
from machine.ssh import private_key
from machine.ssh.arguments import Login

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.store import Record

NO_CONNECTION = 255  # ssh's exit status when it is ssh that failed; also what we return then


def login_of(app: App, name: str, user: str = "") -> Login:
    """Return the login of machine `name` as its record has it. Raises NotSupported for a machine that is only a URL."""
    record = app.store.load(name)
    if record.is_only_url():
        raise NotSupported(
            f"{name} is only a URL, {record.url()}: there is no host to log in to",
            resolution="create it with -d generic to have one",
        )
    endpoint = record.endpoint()
    if endpoint is None:
        raise _state_error(app, record) or MachineError(
            f"the address of {name} is not known", resolution=f"machine status {name}"
        )
    key = record.ssh_key_path()
    known_hosts_path = known_hosts(record)
    if key and os.path.dirname(key) == record.cert_dir():
        private_key.repair(key)
    return Login(
        name=name,
        address=endpoint.address,
        port=endpoint.ssh_port,
        user=user or endpoint.ssh_user,
        key_path=key if key and os.path.exists(key) else "",
        known_hosts=known_hosts_path,
        key_on_record=any(not entry.revoked for entry in knownhosts.entries(known_hosts_path, name)),
    )


def known_hosts(record: Record) -> str:
    """Return the path of the machine's own known_hosts file."""
    return os.path.join(record.cert_dir(), paths.KNOWN_HOSTS)


def run_attached(
    app: App,
    argv: Sequence[str],
    names: Sequence[str],
    package: str,
    *,
    retry: bool = True,
    no_connection: int = NO_CONNECTION,
) -> int:
    """Run ssh, scp or sshfs on our terminal and return its status; explain a failed connection.

    `no_connection` is the status that the program has for that, perhaps for other failures, too. `retry`: a connection
    that sshd drops before any login is tried again a few times. The drivers are asked for the machines' states after a
    failure only, for a cloud's library is slow to import.
    """
    from machine import process
    from machine.cli import ssh_run
    from machine.cli.report import print_error
    from machine.errors import ShellError

    app.stdout.flush()
    app.console.debug(" ".join(argv))
    try:
        status = ssh_run.run(argv, names[0]) if retry and hasattr(os, "mkfifo") else process.foreground(argv)
    except ShellError as error:
        print_error(error, app.stderr, as_json=app.flags.log_format == "json", store=app.flags.typed_store())
        return NO_CONNECTION
    except CommandFailed as error:
        raise CommandFailed(error.brief, resolution=f"install it (package {package})") from None
    if status == no_connection:
        explain(app, names)
    return status


def explain(app: App, names: Sequence[str]) -> None:
    """Show what is wrong with the machines: not running, by their drivers, or another host key than the known one."""
    from machine.cli.report import print_error

    for name in names:
        record = app.store.load(name)
        error = _state_error(app, record) or _host_key_error(record)
        if error is not None:
            print_error(error, app.stderr, as_json=app.flags.log_format == "json", store=app.flags.typed_store())


def _host_key_error(record: Record) -> MachineError | None:
    """Return HostKeyMismatch, with a resolution that ssh's own message lacks, if that is why ssh failed; else None."""
    from machine.errors import HostKeyMismatch, ShellError, TooManyKeys
    from machine.ssh.client import SshShell

    endpoint, host_keys = record.endpoint(), known_hosts(record)
    if endpoint is None or not knownhosts.entries(host_keys, record.name):
        return None
    try:
        SshShell.connect(
            endpoint.address,
            endpoint.ssh_port,
            endpoint.ssh_user,
            key_path=record.ssh_key_path() or None,
            known_hosts=host_keys,
            alias=record.name,
            timeout=10,
        ).close()
    except (HostKeyMismatch, TooManyKeys) as error:
        return error
    except ShellError:
        return None  # ssh has said why
    return None


def _state_error(app: App, record: Record) -> MachineError | None:
    from machine.cli.connect import certificates, in_progress_error
    from machine.cli.ls_rows import power_resolution
    from machine.lifecycle.driver_record import open_driver
    from machine.model import State

    try:
        driver = open_driver(app.open_session(), record)
        state = driver.state()
        if state is State.MISSING and record.imported() and not os.path.exists(record.ssh_key_path() or ""):
            certificates(record)  # says that it came without its keys, and how to get them
    except MachineError as error:
        return error
    if state in (State.RUNNING, State.NONE):
        return None
    by_hand = "switch the host on, and see that its sshd listens" if driver.traits.existing_host else ""
    stopped = MachineError(
        f"{record.name} is not running: its state is {state}", resolution=by_hand or power_resolution(record, state)
    )
    return in_progress_error(record, stopped) or stopped
