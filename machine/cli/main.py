"""The entry point: a command line is parsed and run here, and its errors are printed.

stdout carries data only, so that `eval "$(machine env dev)"` is safe when it fails.
"""

from __future__ import annotations

import os
import sys

from machine.errors import INTERRUPTED, PIPE_CLOSED, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType
    from typing import TextIO

    from machine.cli.app import App
    from machine.cli.global_flags import GlobalFlags
    from machine.cli.parser import Parser


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Run one command line (without the program's name) and return its exit status. Never raises."""
    from machine.cli import std_streams
    from machine.cli.global_flags import GlobalFlags

    std_streams.ensure_std_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    environ = os.environ if environ is None else environ
    out, err = stdout or std_streams.stdout(), stderr or sys.stderr
    flags: GlobalFlags | None = None
    try:
        flags = GlobalFlags(environ)
        status = _run(arguments, flags, environ, out, err)
        out.flush()
    except BrokenPipeError:
        _close_quietly(out)
        return PIPE_CLOSED
    except KeyboardInterrupt:
        _show(MachineError("interrupted"), flags, err, environ)
        return INTERRUPTED
    except MachineError as error:
        _flush(out)
        _show(error, flags, err, environ)
        return error.exit_code
    except Exception as error:
        _flush(out)
        _show(_unexpected_error(error, flags, environ), flags, err, environ)
        return 1
    return status


def _run(argv: list[str], flags: GlobalFlags, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    from machine.cli.app import App
    from machine.cli.global_flags import leading

    if "docker-cli-plugin-metadata" in argv[:1] or "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND" in environ:
        from machine.cli.plugin import metadata, without_docker_flags

        if argv[:1] == ["docker-cli-plugin-metadata"]:
            out.write(metadata() + "\n")
            return 0
        argv = without_docker_flags(argv)
    command, arguments = leading(argv, flags)
    prog = "docker-machine" if os.path.basename(sys.argv[0]).startswith("docker-machine") else "machine"
    app = App(flags, environ, out, err, prog)
    app.command, app.arguments = command, arguments
    try:
        return _run_command(app, command, arguments)
    except MachineError as error:
        error.machine = error.machine or app.machine
        error.resolution = error.resolution or _usage_resolution(error, command)
        raise


def _run_command(app: App, command: str, arguments: list[str]) -> int:
    """Parse the command's arguments and run it, or print its help; return its exit status."""
    flags = app.flags
    if flags.version:
        command, arguments = "version", []
    elif flags.help or not command:
        command, arguments = "help", [command] if command else []
    module = load(command)
    if getattr(module, "PASSES_ARGUMENTS_ON", False) and arguments[:1] not in (["--help"], ["-h"]):
        from machine.cli.parser import Namespace

        return _status(module.run(Namespace(rest=arguments), app))
    parser = parser_of(command, module, arguments, app.environ)
    args = parser.read(arguments, flags)
    if args.help:
        app.stdout.write(parser.format_help())
        return 0
    return _status(module.run(args, app))


def _usage_resolution(error: MachineError, command: str) -> str:
    """Return the resolution of an error in the command line that has none of its own."""
    from machine.errors import TemplateError

    if isinstance(error, TemplateError):
        return "'{{json .}}' shows what a template can use; its language is https://pkg.go.dev/text/template"
    if isinstance(error, UsageError):
        return f"machine {command} --help" if command else "machine --help"
    return ""


def load(command: str) -> ModuleType:
    """Return a command's module. Raises UsageError with the nearest name if there is no such command."""
    from machine.cli.commands import COMMANDS

    if command in COMMANDS:
        name = COMMANDS[command][0]
        __import__(name)  # importlib is half a millisecond away
        return sys.modules[name]
    from machine.cli.suggest import ALIASES, suggestion

    alias = ALIASES.get(command.lower().lstrip("-"), "")
    advice = f"machine {alias}, or " if alias else suggestion(command, COMMANDS, "machine {}, or ")
    raise UsageError(f"there is no command {command!r}", resolution=f"{advice}machine help for the list")


def parser_of(command: str, module: ModuleType, argv: Sequence[str], environ: Mapping[str, str]) -> Parser:
    """Return the parser of one command, with its flags."""
    from machine.cli.parser import Parser

    parser = Parser(command, module.HELP, argv=argv, environ=environ)
    module.add_arguments(parser)
    return parser


def _unexpected_error(error: Exception, flags: GlobalFlags | None, environ: Mapping[str, str]) -> MachineError:
    """Return the error for an exception that is none of ours: a full disk behind `> file`, or a bug."""
    import errno

    if isinstance(error, OSError) and error.filename is None and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EIO):
        return MachineError(
            f"the output cannot be written: {error.strerror}",
            resolution="make room where stdout goes, or send it elsewhere",
        )
    if isinstance(error, FileNotFoundError) and error.filename is None and not _has_working_directory():
        return MachineError("the working directory does not exist any more", resolution="cd to one that does")
    if foreign := _foreign_certs():
        from machine.build import DISTRIBUTION

        return MachineError(
            "another package's module `certs` is in the place of this program's own",
            details=f"{foreign} is imported",
            resolution=f"give the program an environment of its own: pipx install {DISTRIBUTION};"
            " or remove the other package: pip uninstall certs, and install this one again",
        )
    from machine.cli.report import bug_error
    from machine.paths import default_store

    return bug_error(error, (flags.storage_path if flags else "") or default_store(dict(environ)))


def _foreign_certs() -> str:
    """Return the path of a module `certs` that is none of ours, if such a one was imported, else ""."""
    module = sys.modules.get("certs")
    if module is None or hasattr(module, "make_ca"):
        return ""
    return str(getattr(module, "__file__", None) or list(getattr(module, "__path__", [])))


def _has_working_directory() -> bool:
    """Return whether the working directory exists still, so that relative paths can be resolved."""
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def _status(result: object) -> int:
    return int(result) if isinstance(result, int) else 0


def _show(error: MachineError, flags: GlobalFlags | None, err: TextIO, environ: Mapping[str, str]) -> None:
    from machine.cli.report import print_error

    as_json = flags.log_format == "json" if flags else environ.get("MACHINE_LOG_FORMAT") == "json"
    try:
        if flags is not None and flags.debug:
            import traceback

            traceback.print_exc(file=err)
        print_error(error, err, as_json=as_json, store=flags.typed_store() if flags else "")
        err.flush()
    except (OSError, ValueError):
        pass  # nobody is listening; the exit status still tells


def _flush(out: TextIO) -> None:
    try:
        out.flush()
    except (OSError, ValueError):
        _close_quietly(out)


def _close_quietly(out: TextIO) -> None:
    """Point stdout at nothing, so that the interpreter's own last flush does not complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    except (OSError, ValueError):
        return  # not a real file: nothing will be flushed at the end
