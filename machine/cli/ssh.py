"""machine ssh [[USER@]NAME] [ssh's options] [COMMAND...]"""

from __future__ import annotations

from machine.cli import ssh_login
from machine.errors import UsageError
from machine.ssh import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.ssh.arguments import Login

HELP = """Log in to a machine, or run a command on it and end with its exit status.

Everything after NAME goes to the system's ssh, options first: machine ssh dev -L 8080:localhost:80 -N.
With --native-ssh, or where there is no ssh, the built-in client is used; it knows no options but -t and -T."""

PASSES_ARGUMENTS_ON = True  # what follows is ssh's; see machine.cli.commands


def add_arguments(parser: Parser) -> None:
    """Declare the flags for the help only: `SshCommandLine` parses them."""
    parser.add_argument("rest", nargs="*", metavar="[USER@]NAME [OPTION...] [COMMAND...]", help="as for ssh itself")
    parser.add_argument("--native-ssh", action="store_true", help="Use the built-in ssh client")
    parser.add_argument(
        "--forget-host-key",
        action="store_true",
        help="Accept a new host key at the next login; for reinstalled machines",
    )


class SshCommandLine:
    """The arguments of `machine ssh`: ssh's options may stand before or after the name; long flags are ours."""

    def __init__(self, argv: Sequence[str], app: App) -> None:
        self.target = ""
        self.options: list[str] = []
        self.forget_host_key = False
        remaining = list(argv)
        while remaining:
            if remaining[0] == "--":
                del remaining[0]
                break
            if remaining[0].startswith("--"):
                self._take_long_flag(remaining, app)
            elif length := arguments.option_length(remaining):
                self.options += remaining[:length]
                del remaining[:length]
            elif not self.target:
                self.target = remaining.pop(0)
            else:
                break
        self.command = remaining

    def _take_long_flag(self, remaining: list[str], app: App) -> None:
        """Take one long flag from `remaining`: one of this command's, or a global one."""
        from machine.cli.global_flags import AFTER_COMMAND
        from machine.cli.tokenize import SWITCH

        flag, equals, value = remaining.pop(0).partition("=")
        if flag == "--forget-host-key":
            self.forget_host_key = True
        elif flag not in AFTER_COMMAND:
            raise UsageError(
                f"machine ssh has no flag {flag}", resolution="ssh's own options have one letter; machine ssh --help"
            )
        elif AFTER_COMMAND[flag] == SWITCH:
            app.flags.set(flag, value if equals else "true")
        elif equals or remaining:
            app.flags.set(flag, value if equals else remaining.pop(0))
        else:
            raise UsageError(f"{flag} needs a value")


def run(args: Namespace, app: App) -> int:
    """The exit status of ssh: the remote command's, 255 when the connection failed."""
    import shutil

    command_line = SshCommandLine(args.rest, app)
    user, _, name = command_line.target.rpartition("@")
    name = app.name(name or None)
    if command_line.forget_host_key:
        return _forget_host_key(app, name)
    login = ssh_login.login_of(app, name, user)
    if app.flags.native_ssh or not shutil.which("ssh"):
        return _run_native(app, login, command_line)
    own_log = any(
        option.startswith("-E") for option in command_line.options
    )  # then what ssh says is not to be seen here
    argv = arguments.ssh(login, command_line.options, command_line.command)
    return ssh_login.run_attached(app, argv, [name], "openssh-client", retry=not own_log)


def _forget_host_key(app: App, name: str) -> int:
    from machine.ssh import known_hosts

    path = ssh_login.known_hosts(app.store.load(name))
    count = known_hosts.forget(path, name)
    app.console.info(f"{count} host key(s) of {name} removed from {path}; the next login writes down the new one")
    return 0


def _run_native(app: App, login: Login, command_line: SshCommandLine) -> int:
    from machine.cli import ssh_run
    from machine.cli.interactive import run_interactive
    from machine.cli.report import print_error
    from machine.errors import ShellError
    from machine.ssh.client import SshShell

    unsupported = [option for option in command_line.options if option not in ("-t", "-tt", "-T", "-q")]
    if unsupported:
        raise UsageError(
            f"the built-in ssh client has no option {unsupported[0]}",
            resolution="install ssh (package openssh-client) and leave --native-ssh out",
        )
    terminal = "-T" not in command_line.options and (
        not command_line.command or "-t" in command_line.options or "-tt" in command_line.options
    )
    app.stdout.flush()

    def connect() -> SshShell:
        return SshShell.connect(
            login.address,
            login.port,
            login.user,
            key_path=login.key_path or None,
            known_hosts=login.known_hosts,
            alias=login.name,
            timeout=15,
            trust_new=not login.key_on_record,
        )

    try:
        with ssh_run.retry(connect, login.name) as shell:
            return run_interactive(shell, " ".join(command_line.command), terminal=terminal)
    except ShellError as error:
        print_error(error, app.stderr, as_json=app.flags.log_format == "json", store=app.flags.typed_store())
        ssh_login.explain(app, [login.name])
        return ssh_login.NO_CONNECTION
