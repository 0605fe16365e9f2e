"""`machine drivers [NAME...]`."""

from __future__ import annotations

from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.drivers.base import Driver

HELP = """List the drivers, or show what one needs and which flags of `create` it has.

Plugins of docker-machine (docker-machine-driver-NAME on the PATH) and drivers of other packages are among them."""


def add_arguments(parser: Parser) -> None:
    """Any number of drivers."""
    parser.add_argument("--json", action="store_true", help="JSON: a list; with names, their flags are in it")
    parser.add_argument("names", nargs="*", metavar="DRIVER", help="Drivers; without any, all of them")


def run(args: Namespace, app: App) -> int:
    """A table, or a page for each name. Raises UsageError on a driver that does not exist."""
    from machine.cli.create import find_driver
    from machine.drivers import registry

    if not args.names:
        rows = [_row(name) for name in registry.names()]
        if args.json:
            app.print_json([dict(zip(("Name", "Machine", "Needs"), row, strict=True)) for row in rows])
            return 0
        app.print_text("\n".join(line for row in rows for line in _lines(*row)))
        return 0
    found = [(name, find_driver(name)) for name in args.names]
    if args.json:
        app.print_json([_as_json(name, driver) for name, driver in found])
    else:
        app.print_text("\n\n".join(_page(app, name, driver) for name, driver in found))
    return 0


def _lines(name: str, summary: str, needs: str) -> list[str]:
    """A driver in the list, no wider than the terminal: its name and what a machine is; below, what it needs."""
    import textwrap

    from machine.cli.parser import columns

    indent = 15
    texts = [text for text in (summary, f"needs {needs}" if summary and needs else needs) if text]
    lines = [
        line for text in texts for line in textwrap.wrap(text, max(columns() - indent - 1, 24), break_on_hyphens=False)
    ]
    return [f"{(name if not at else ''):<{indent - 1}} {line}" for at, line in enumerate(lines)]


def _row(name: str) -> list[str]:
    """Return a driver's row; for one that cannot be loaded it has the error."""
    from machine.drivers import registry

    try:
        driver = registry.find(name)
    except MachineError as error:
        return [name, "", error.brief]
    default = " (default)" if name == registry.DEFAULT else ""
    return [name, f"{driver.traits.summary}{default}", driver.traits.needs]


def _as_json(name: str, driver: type[Driver]) -> dict[str, Any]:
    options = [
        {
            "Flag": f"--{option.name}",
            "Kind": option.kind,
            "Variable": option.env,
            "Default": option.empty if option.default is None else option.default,
            "Help": option.help,
            "Secret": option.secret,
        }
        for option in driver.traits.options
    ]
    return {"Name": name, "Machine": driver.traits.summary, "Needs": driver.traits.needs, "Options": options}


def _page(app: App, name: str, driver: type[Driver]) -> str:
    """What a driver is and needs, and its flags, as `create --help` has them."""
    from machine.cli import driver_flags
    from machine.cli.parser import Parser

    parser = Parser("drivers", "")
    driver_flags.add_options(parser, name, driver.traits.options)
    flags = parser.format_help().partition(f"flags of the driver {name}:\n")[2]
    head = [
        f"{name}: {driver.traits.summary}",
        f"needs: {driver.traits.needs}",
        f"usage: {app.prog} create -d {name} [FLAGS] NAME",
    ]
    return "\n".join([*head, "", flags.rstrip("\n")])
