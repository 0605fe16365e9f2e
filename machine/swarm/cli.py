"""Classic Swarm's commands: create, list, join, manage, and discovery, which serves tokens.

Runs on plain python3 with h11, so that it can be shipped to a machine; the machine store, where there is one, is
handed in as `CliContext`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from machine import __version__
from machine.errors import MachineError, UsageError
from machine.swarm import cli_flags as all_flags
from machine.swarm.cli_flags import (
    HelpRequested,
    ParsedArgs,
    did_you_mean,
    heartbeat_and_ttl,
    help_of,
    help_rows,
    key_value_pairs,
    parse_args,
    seconds,
)
from machine.swarm.discovery import FORMS, Discovery, DiscoveryError, from_url, tls_of
from machine.swarm.http.address import PLAIN_PORT, TLS_FILES, Address, TlsConfig, tls_from_flags
from machine.swarm.http.listener import ListenerPolicy, listen
from machine.swarm.http.server import Limits, Server
from machine.swarm.limits import TOKEN_BODY
from machine.swarm.manager.config import manager_config_from
from machine.swarm.manager.manager import ManagerConfig, manager
from machine.swarm.parsing import booleans
from machine.swarm.pipeline import Backend, compose
from machine.swarm.printable import printable_log

ALIASES = {"c": "create", "l": "list", "m": "manage", "j": "join", "h": "help"}
DEFAULT_MANAGER_URL, DEFAULT_SERVICE_URL = "tcp://127.0.0.1:2375", "tcp://127.0.0.1:8080"
ANY_ADDRESS = "0.0.0.0"  # what `-H :3376` means, as in classic Swarm
GLOBAL_FLAGS = ("--debug", "--log-level", "--experimental", "--version", "--help")  # flags before the command
LEVELS = ("debug", "info", "warning", "warn", "error", "fatal", "panic")  # only debug says more than the others
COMMANDS = {
    "create": ("", all_flags.CREATE, "print a new token"),
    "list": ("DISCOVERY", all_flags.LIST, "print the engines that a discovery knows"),
    "manage": ("DISCOVERY", all_flags.MANAGE, "run a manager: one endpoint for all engines of a discovery"),
    "join": ("DISCOVERY", all_flags.JOIN, "register an engine, again and again, until stopped"),
    "discovery": ("", all_flags.DISCOVERY, "serve the token protocol"),
}


class CliContext(NamedTuple):
    """What a command uses of the world. `registry` is a path; `complete_from_store` completes a manager's config."""

    environ: Mapping[str, str]
    print_line: Callable[[str], None]  # one line of data
    log: Callable[[str], None]  # one line for the user
    registry: str = ""
    complete_from_store: Callable[[ParsedArgs, ManagerConfig | None], tuple[ManagerConfig, TlsConfig | None]] | None = (
        None
    )
    prog: str = "machine-swarm"


def run(argv: Sequence[str], context: CliContext) -> int:
    """One command line, without the program's name. Raises MachineError for what does not work."""
    command, args, debug = _split_global_flags(list(argv))
    if command in ("version", "help") and len(args) > (command == "help"):
        raise UsageError(f"{command} takes no arguments like {args[-1]!r}", resolution=f"{context.prog} {command}")
    if command == "version":
        context.print_line(f"{context.prog} version {__version__}")
        return 0
    if command == "help":
        _check_command(ALIASES.get(args[0], args[0]) if args else "help", context.prog)
        context.print_line(help_text(context.prog, args[0] if args else ""))
        return 0
    _check_command(command, context.prog)
    context = context._replace(log=printable_log(context.log if debug else _without_tracebacks(context.log)))
    try:
        parsed_args = parse_args(command, args, COMMANDS[command][1], context.environ)
    except HelpRequested:
        context.print_line(help_text(context.prog, command))
        return 0
    act: Callable[[ParsedArgs, CliContext], Awaitable[None]] = {
        "create": create, "list": show, "manage": manage, "join": join, "discovery": discovery,
    }[command]  # fmt: skip
    try:
        asyncio.run(_until_stopped(act(parsed_args, context)))
    except DiscoveryError as error:
        raise MachineError(str(error), resolution=error.resolution) from error
    return 0


def help_text(prog: str, command: str = "") -> str:
    """Help: of one command, or the list of them."""
    command = ALIASES.get(command, command)
    if command in COMMANDS:
        takes, flags, line = COMMANDS[command]
        parts = [f"Usage: {prog} {command} [FLAGS] {takes}".rstrip(), line, help_of(flags)]
        return "\n\n".join([*parts, f"{takes} is one of:\n{help_rows(FORMS)}"] if takes else parts)
    lines = [f"Usage: {prog} [--debug] [--log-level LEVEL] COMMAND [FLAGS] [DISCOVERY]", "", "Commands:"]
    lines += [f"  {name:12} {line}" for name, (_, _, line) in COMMANDS.items()]
    return "\n".join([*lines, "", f"{prog} help COMMAND shows its flags."])


def _check_command(command: str, prog: str) -> None:
    """Raises UsageError, with the name that is most like it, if there is no such command."""
    if command not in (*COMMANDS, "help"):
        resolution = did_you_mean(command, COMMANDS) or f"{prog} help shows them"
        raise UsageError(f"there is no command {command!r} of {prog}", resolution=resolution)


async def create(args: ParsedArgs, context: CliContext) -> None:
    """A token of the service at MACHINE_DISCOVERY_URL, or of the registry here."""
    from machine.swarm.discovery.registry import Registry
    from machine.swarm.discovery.token import base_of, naming_variable
    from machine.swarm.discovery.token import create as ask

    args.reject_positionals()
    base = context.environ.get("MACHINE_DISCOVERY_URL", "")
    if base:
        tls = tls_of(key_value_pairs(args.all("--discovery-opt"), "--discovery-opt"))
        with naming_variable():
            context.print_line(await ask(base_of(base), tls))
    elif context.registry:
        context.print_line(await asyncio.to_thread(Registry(context.registry).create))
    else:
        raise UsageError(
            "there is no discovery service to make a token",
            resolution=f"set MACHINE_DISCOVERY_URL=https://HOST:PORT/v1; {context.prog} discovery runs one",
        )


async def show(args: ParsedArgs, context: CliContext) -> None:
    """The addresses, one per line."""
    discovery = _discovery(args, context)
    timeout = seconds(args.text("--timeout"), "--timeout")
    if timeout <= 0:
        raise UsageError("--timeout should be a positive number", resolution="--timeout 10s")
    try:
        async with asyncio.timeout(timeout):
            for address in await discovery.nodes():
                context.print_line(address)
    except TimeoutError:
        raise DiscoveryError(f"{discovery.description} did not answer within {args.text('--timeout')}") from None


async def join(args: ParsedArgs, context: CliContext) -> None:
    """Register `--advertise` every heartbeat; a heartbeat that fails is said and tried again."""
    from machine.swarm.discovery.ranges import address

    discovery = _discovery(args, context)
    if not args.text("--advertise"):
        raise UsageError("missing mandatory --advertise flag", resolution="--advertise HOST:PORT: the engine's address")
    try:
        own_address = address(args.text("--advertise"))
    except DiscoveryError as error:
        raise UsageError(f"--advertise: {error}", resolution="--advertise HOST:PORT: the engine's address") from None
    beat, ttl = heartbeat_and_ttl(args)
    await asyncio.sleep(random.uniform(0, seconds(args.text("--delay"), "--delay")))  # noqa: S311
    while True:
        try:
            await discovery.register(own_address, round(ttl))
            context.log(f"registered {own_address} with {discovery.description}")
        except DiscoveryError as error:
            context.log(f"could not register {own_address}: {error}; trying again in {beat:g} s")
        await asyncio.sleep(beat)


async def manage(args: ParsedArgs, context: CliContext) -> None:
    """Serve until stopped."""
    config, listener_tls = _parse_manager_config(args, context)
    # On a master, `create` has named a registry that begins empty: nobody typed the token there.
    own_registry = bool(args.text("--registry")) and context.complete_from_store is None
    async with manager(config, context.log) as backend:
        backends = await with_registry(config, backend, context, expects_token=own_registry)
        policy = ListenerPolicy(
            listener_tls, "every engine", insecure=args.on("--insecure"), cors=args.on("--api-enable-cors")
        )
        async with _serve(backends, policy, context, args.all("--host") or [DEFAULT_MANAGER_URL]) as addresses:
            if context.complete_from_store:  # somebody sits here, who has the client's certificates
                for line in ("the docker client uses it after:", *exports(addresses[0], listener_tls, config.tls)):
                    context.log(line)
            await asyncio.Event().wait()


def exports(address: Address, listener_tls: TlsConfig | None, client: TlsConfig | None) -> list[str]:
    """The lines that point the docker client at a manager on this computer.

    DOCKER_CERT_PATH only if `client`'s files lie in one directory under the names that the docker client looks for.
    """
    if address.host in (ANY_ADDRESS, "::"):
        address = address._replace(host="127.0.0.1")
    lines = [f"export DOCKER_HOST={shlex.quote(str(address))}"]
    if listener_tls is not None:
        lines.append("export DOCKER_TLS_VERIFY=1")
        files = (client.ca, client.cert, client.key) if client else ()
        directories = {os.path.dirname(os.path.abspath(path)) for path in files}
        if [os.path.basename(path) for path in files] == [*TLS_FILES.values()] and len(directories) == 1:
            lines.append(f"export DOCKER_CERT_PATH={shlex.quote(directories.pop())}")
    return lines


async def discovery(args: ParsedArgs, context: CliContext) -> None:
    """Serve tokens until stopped."""
    from machine.swarm.discovery.registry import Registry
    from machine.swarm.discovery.service import service

    args.reject_positionals()
    path = args.text("--registry") or context.registry or "registry.db"
    listener_tls = tls_from_flags(args.switches(), context.environ)
    if listener_tls is not None and not args.on("--tlsverify"):
        listener_tls = listener_tls._replace(verify=False)
    backends = [service(Registry(os.path.abspath(path)))]
    policy = ListenerPolicy(listener_tls, "its tokens", insecure=args.on("--insecure"), open_to_all=True)
    limits = Limits(body=TOKEN_BODY)
    async with _serve(backends, policy, context, args.all("--host") or [DEFAULT_SERVICE_URL], limits):
        await asyncio.Event().wait()


async def with_registry(
    config: ManagerConfig, backend: Backend, context: CliContext, *, expects_token: bool = False
) -> list[Backend]:
    """The manager, and before it its registry, if it has one: whoever may use the manager may register engines.

    The registry takes the token before anybody is listened to: the first to call may be who registers. With
    `expects_token` off, a token that is new there is told. Raises DiscoveryError if the registry cannot take
    the token.
    """
    from machine.swarm.discovery.service import registrar
    from machine.swarm.discovery.token import LocalToken

    if not isinstance(config.discovery, LocalToken):
        return [backend]
    if not expects_token and not await config.discovery.is_known():
        context.log(
            f"nobody has made or used this token in {config.discovery.registry.path}: if that surprises you, it is "
            f"mistyped ({context.prog} create makes one); engines that register under it will be found"
        )
    await config.discovery.record_token()
    return [registrar(config.discovery.registry), backend]


def _parse_manager_config(args: ParsedArgs, context: CliContext) -> tuple[ManagerConfig, TlsConfig | None]:
    """The config of the manager, and the TLS of its listener."""
    url = args.positionals or context.environ.get("SWARM_DISCOVERY")
    if not url and context.complete_from_store:
        return context.complete_from_store(args, None)
    config = manager_config_from(args, context.environ, context.registry)
    if context.complete_from_store and config.tls is None and _uses_store_registry(args, context):
        return context.complete_from_store(args, config)
    return config, config.tls


def _uses_store_registry(args: ParsedArgs, context: CliContext) -> bool:
    """Whether the discovery is a token of the store's own registry, whose engines are the store's machines."""
    url = args.one_url(context.environ.get("SWARM_DISCOVERY", ""))
    return url.startswith("token://") and "/" not in url[8:] and not context.environ.get("MACHINE_DISCOVERY_URL")


@contextlib.asynccontextmanager
async def _serve(
    backends: Sequence[Backend],
    policy: ListenerPolicy,
    context: CliContext,
    urls: Sequence[str],
    limits: Limits | None = None,
) -> AsyncIterator[list[Address]]:
    """Listen at `urls` until the block is left; gives the addresses.

    Raises UsageError if one is no address, or must not be listened at.
    """
    server = Server(compose(backends), log=context.log, limits=limits)
    policy = policy._replace(address_flag="-H")
    addresses = []
    try:
        for url in urls:
            addresses.append(await listen(server, url, policy, port=PLAIN_PORT, host=ANY_ADDRESS))
            context.log(f"listening on {addresses[-1]}{' with TLS' if policy.tls else ''}")
        yield addresses
    finally:
        await server.close()


def _discovery(args: ParsedArgs, context: CliContext) -> Discovery:
    url = args.one_url(context.environ.get("SWARM_DISCOVERY", ""))
    options = key_value_pairs(args.all("--discovery-opt"), "--discovery-opt")
    return from_url(url, registry=context.registry, options=options, environ=context.environ)


def _split_global_flags(argv: list[str]) -> tuple[str, list[str], bool]:
    """Classic Swarm's flags before the command; the command by its full name, and what follows it."""
    debug = False
    while argv:
        arg = argv.pop(0)
        name, equals, value = arg.partition("=")
        name = "-" + name if name.startswith("-") and not name.startswith("--") and len(name) > 2 else name
        if name in ("--debug", "-D"):
            debug = not equals or booleans.parse_go(value) is True
        elif name in ("--log-level", "-l"):
            level = value if equals else (argv.pop(0) if argv else "")
            if level.lower() not in LEVELS:
                raise UsageError(
                    f"{name} takes no {level!r}" if level else f"{name} needs a value",
                    resolution=did_you_mean(level, LEVELS) or f"{name} LEVEL; levels: {' '.join(LEVELS)}",
                )
            debug = debug or level.lower() == "debug"
        elif name in ("--experimental", "-experimental"):
            continue
        elif name in ("--version", "-v"):
            return "version", argv, debug
        elif name in ("--help", "-h"):
            return "help", [], debug
        elif arg.startswith("-"):
            resolution = did_you_mean(name, GLOBAL_FLAGS, 0.75) or "put it after the command"
            raise UsageError(f"there is no flag {name} before the command", resolution=resolution)
        else:
            return ALIASES.get(arg, arg), argv, debug
    return "help", [], debug


def _without_tracebacks(log: Callable[[str], None]) -> Callable[[str], None]:
    """Only the last line of a traceback: the rest is for --debug."""
    return lambda text: log(text.strip().splitlines()[-1] if text.startswith("Traceback") else text)


async def _until_stopped(work: Awaitable[None]) -> None:
    """Run, until it ends or SIGINT or SIGTERM come."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, task.cancel)  # not on Windows, not outside the main thread
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(argv: Sequence[str] | None = None) -> int:
    """The program as it is shipped to machines: no store. Logs go to stderr, where systemd picks them up."""
    words = list(sys.argv[1:] if argv is None else argv)

    def log(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        return run(words, CliContext(os.environ, lambda text: print(text, flush=True), log))
    except MachineError as error:
        log(f"Error: {error.brief}")
        for text in (error.details, error.resolution and f"Try: {error.resolution}"):
            if text:
                log(text)
        return error.exit_code
