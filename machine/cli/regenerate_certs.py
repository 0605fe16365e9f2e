"""machine regenerate-certs [-f] [--client-certs] [NAME...]"""

from __future__ import annotations

from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Issue new server certificates for machines and install them; running containers go on."


def add_arguments(parser: Parser) -> None:
    """Names and two switches."""
    from machine.cli.machine_action import add_names

    parser.add_argument("--force", "-f", action="store_true", help="Do not ask first")
    parser.add_argument("--client-certs", action="store_true", help="A new client certificate as well")
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """Exit status 1 if any machine failed, or nobody answered the question."""
    from machine.cli.machine_action import confirm, on_each
    from machine.lifecycle import certificates, provision

    names = app.names(args.names)
    if not args.force:
        answer = confirm(app, f"Issue new certificates for {', '.join(names)}? The old ones stop working.")
        if answer is None:
            raise MachineError("EOF: the question was not answered", resolution="add -f to skip the question")
        if not answer:
            return 0
    if args.client_certs:
        certificates.renew_client(app.open_session())
    return on_each(app, names, provision.regenerate)
