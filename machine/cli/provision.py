"""machine provision [NAME...]"""

from __future__ import annotations

from machine.cli.machine_action import add_names as add_arguments
from machine.cli.machine_action import on_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace

HELP = (
    "Bring machines to what their records say: Docker installed, configured, behind TLS. What is right is left alone."
)

__all__ = ["HELP", "add_arguments", "run"]


def run(args: Namespace, app: App) -> int:
    """Exit status 1 if any machine failed."""
    from machine.lifecycle import provision

    return on_each(app, app.names(args.names), provision.provision)
