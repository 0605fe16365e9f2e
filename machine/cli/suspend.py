"""machine suspend [NAME...]"""

from __future__ import annotations

from machine.cli.machine_action import add_names as add_arguments
from machine.cli.machine_action import on_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace

HELP = """Switch machines off and keep their memory on disk: `machine start` goes on where they were, in seconds.
For machines of this computer (drivers qemu and virtualbox). `machine kill` gives the saved memory up."""

__all__ = ["HELP", "add_arguments", "run"]


def run(args: Namespace, app: App) -> int:
    """Exit status 0 if all are suspended, those included that were before."""
    from machine.lifecycle.suspend import suspend

    return on_each(app, app.names(args.names), suspend)
