"""machine swarmd ['BACKEND WORD...'...], also installed as `swarmd`"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.store import Store
    from machine.swarmd.backends.registry import BackendFactory

HELP = """Run a pipeline of backends that speak the Docker API. Each argument is one backend with its arguments:

  machine swarmd 'dockerserver' 'debug' 'dockerclient tcp://10.0.0.5:2375'

Without arguments: print the backends there are."""
PASSES_ARGUMENTS_ON = True


def add_arguments(parser: Parser) -> None:
    """Every word is a backend."""
    parser.add_argument("backends", nargs="*", metavar="'BACKEND WORD...'", help="backends, first the one that listens")


def run(args: Namespace, app: App) -> int:
    """Serve until interrupted."""
    if args.rest in (["--version"], ["-v"]):
        from machine import __version__

        app.print_text(f"swarmd version {__version__}")
        return 0
    if "--help" in args.rest or "-h" in args.rest:  # after a backend too, where the command line is not looked at
        import sys

        from machine.cli.main import parser_of

        app.stdout.write(parser_of("swarmd", sys.modules[__name__], [], app.environ).format_help())
        return 0
    if not args.rest:
        from machine.swarmd.backends.registry import names

        lines = names(store_backends(app.store))
        width = max(len(name) for name in lines) + 2
        for name, line in lines.items():
            app.print_text(f"{name:{width}}{line}")
        return 0
    import asyncio

    from machine import paths
    from machine.swarmd.serve import serve

    registry = paths.swarm(app.store.root, paths.SWARM_REGISTRY)
    extra = store_backends(app.store)
    asyncio.run(serve(args.rest, environ=app.environ, log=app.console.info, registry=registry, extra=extra))
    return 0


def store_backends(store: Store) -> dict[str, BackendFactory]:
    """Return the backends that know the machine store, by name: machine/swarmd knows of none."""
    from machine.clusters.store_backends.create_backend import CreateBackend
    from machine.clusters.store_backends.machine import MachineBackend

    return {"create": CreateBackend(store), "machine": MachineBackend(store)}


def main() -> int:
    """The program `swarmd`."""
    import sys

    from machine.cli import main as machine

    argv = sys.argv[1:]
    if argv[:1] in (["help"], ["h"]):
        argv = ["--help"]
    return machine(["swarmd", *argv])
