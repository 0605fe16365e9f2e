"""machine provision [NAME...]"""

from __future__ import annotations

from machine.cli.machine_action import add_names, on_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = (
    "Bring machines to what their records say: Docker installed, configured, behind TLS. What is right is left alone."
)


def add_arguments(parser: Parser) -> None:
    """Add the names, and what may be changed on the way."""
    from machine.cli.create_flags import add_engine_proxy

    add_engine_proxy(parser, default="as it is")
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """Exit status 1 if any machine failed."""
    from machine import engine_proxy
    from machine.lifecycle import provision

    engine_proxy.check_flag(args.engine_proxy)
    return on_each(
        app, app.names(args.names), lambda session, name: provision.provision(session, name, args.engine_proxy)
    )
