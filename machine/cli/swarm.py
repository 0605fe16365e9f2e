"""machine swarm create|list|join|manage|discovery, also installed as `machine-swarm`: classic Swarm's command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Many engines behind one endpoint, as classic Docker Swarm did it.

  machine swarm manage                    one endpoint for all machines of the store
  machine swarm create                    print a token for --swarm-discovery token://TOKEN
  machine swarm manage token://TOKEN      one endpoint for the machines made with that token
  machine swarm list token://TOKEN        the engines registered under it
  machine swarm join --advertise HOST:PORT DISCOVERY
  machine swarm discovery                 serve tokens to other hosts

A discovery is token://T, nodes://HOST:PORT,..., file://PATH, etcd://HOST/PREFIX or consul://HOST/PREFIX.
`machine swarm help COMMAND` shows a command's flags."""
PASSES_ARGUMENTS_ON = True


def add_arguments(parser: Parser) -> None:
    """Every word is the subcommand's."""
    parser.add_argument("words", nargs="*", metavar="COMMAND [FLAGS] [DISCOVERY]", help="what to do")


def run(args: Namespace, app: App) -> int:
    """One subcommand; manage, join and discovery go on until interrupted."""
    from machine.clusters.classic import store_integration
    from machine.swarm.cli import CliContext
    from machine.swarm.cli import run as act

    def print_line(text: str) -> None:
        app.print_text(text)
        app.stdout.flush()

    context = CliContext(
        environ=app.environ,
        print_line=print_line,
        log=app.console.info,
        registry=store_integration.registry_path(app.store),
        complete_from_store=lambda parsed_args, config: store_integration.manager_config(
            app.store, parsed_args, config, dict(app.environ)
        ),
        prog=f"{app.prog} swarm",
    )
    return act(args.rest, context)


def main() -> int:
    """The program `machine-swarm`."""
    import sys

    from machine.cli import main as machine

    return machine(["swarm", *sys.argv[1:]])
