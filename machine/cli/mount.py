"""machine mount [-u] [[USER@]NAME:]PATH [DIRECTORY]"""

from __future__ import annotations

import os

from machine.cli import ssh_login
from machine.errors import CommandFailed, UsageError
from machine.ssh import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Mount a directory of a machine here with sshfs: machine mount dev:/home/debian ./home

Without DIRECTORY the path here is the same as there. A source without a colon is a path on the machine called default.
Undo it with machine mount -u dev:/home/debian ./home."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--unmount", "-u", action="store_true", help="Unmount DIRECTORY")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="[USER@]NAME:PATH, and the directory here")


def run(args: Namespace, app: App) -> int:
    """The exit status of sshfs, fusermount or umount."""
    if len(args.paths) not in (1, 2):
        raise UsageError("mount needs a source and a directory", resolution="machine mount NAME:PATH DIRECTORY")
    source = arguments.parse_remote_path(args.paths[0])
    target = args.paths[1] if len(args.paths) == 2 else source.path
    if not target:
        raise UsageError("mount needs the directory to mount on", resolution=f"machine mount {args.paths[0]} DIRECTORY")
    if target.startswith("-"):
        target = f"./{target}"
    if args.unmount:
        return ssh_login.run_attached(app, [*_unmounter(), target], [], "fuse3", retry=False)
    name = app.name(source.machine or None)
    if not os.path.isdir(target):
        raise CommandFailed(f"there is no directory {target} to mount on", resolution=f"mkdir -p {target}")
    source = arguments.RemotePath(name, source.user, source.path)
    argv = arguments.sshfs(ssh_login.login_of(app, name), source, target)
    # sshfs goes on in the background, and ends with 1 whatever it failed of
    return ssh_login.run_attached(app, argv, [name], "sshfs", retry=False, no_connection=1)


def _unmounter() -> list[str]:
    """The program that unmounts without being root, where there is one (Linux)."""
    import shutil

    for program in ("fusermount3", "fusermount"):
        if shutil.which(program):
            return [program, "-u"]
    return ["umount"]
