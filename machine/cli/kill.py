"""machine kill [NAME...]"""

from __future__ import annotations

from machine.cli.machine_action import add_names as add_arguments
from machine.cli.machine_action import on_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace

HELP = "Switch machines off at once, as if the plug were pulled."

__all__ = ["HELP", "add_arguments", "run"]


def run(args: Namespace, app: App) -> int:
    """Exit status 0 if all are where they should be, those included that were there before."""
    from machine.lifecycle.power import power
    from machine.model import Verb

    return on_each(app, app.names(args.names), lambda session, name: power(session, name, Verb.KILL))
