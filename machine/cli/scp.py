"""machine scp [-r] [-q] [-d] [[USER@]NAME:]PATH... [[USER@]NAME:]PATH"""

from __future__ import annotations

import os
from contextlib import contextmanager

from machine.cli import ssh_login
from machine.errors import UsageError
from machine.ssh import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.ssh.arguments import Login

HELP = """Copy files to, from and between machines: machine scp notes.txt dev:/tmp/

A path on a machine is [USER@]NAME:PATH; localhost:PATH and paths without a colon are here. Between two machines the
data pass through this computer."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--recursive", "-r", action="store_true", help="Copy directories with all that is in them")
    parser.add_argument(
        "--delta", "-d", action="store_true", help="Send only what differs (rsync, needed on both sides)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="Show no progress")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="sources, and last the target")


def run(args: Namespace, app: App) -> int:
    """The exit status of scp or rsync."""
    if len(args.paths) < 2:
        raise UsageError("scp needs a source and a target", resolution="machine scp FILE NAME:PATH")
    remote_paths = [arguments.parse_remote_path(path) for path in args.paths]
    names = list(dict.fromkeys(one.machine for one in remote_paths if one.machine))
    if not names:
        raise UsageError(
            "neither side is on a machine", resolution="write NAME:PATH for a path on a machine, or use cp"
        )
    app.store.require(*names)
    login = [ssh_login.login_of(app, name) for name in names]
    style = {"recursive": args.recursive, "quiet": args.quiet}
    if args.delta:
        if len(names) > 1 or not any(one.machine == "" for one in remote_paths):
            raise UsageError("rsync cannot copy from machine to machine", resolution="leave --delta out")
        return ssh_login.run_attached(app, arguments.rsync(login[0], remote_paths, **style), names, "rsync")
    if len(names) == 1:
        return ssh_login.run_attached(app, arguments.scp(login, remote_paths, **style), names, "openssh-client")
    with _configuration(app, login) as path:
        return ssh_login.run_attached(
            app, arguments.scp(login, remote_paths, config=path, **style), names, "openssh-client"
        )


@contextmanager
def _configuration(app: App, login: Sequence[Login]) -> Iterator[str]:
    """Give the path of an ssh_config for these machines; the file, in the first one's directory, is removed after."""
    import tempfile

    handle, path = tempfile.mkstemp(".ssh_config", ".scp-", app.store.directory(login[0].name))  # born 0600
    try:
        with open(handle, "w", encoding="utf-8") as config:
            config.write(arguments.configuration(login))
        yield path
    finally:
        os.unlink(path)
