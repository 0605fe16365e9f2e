"""machine set [NAME...] --DRIVER-OPTION VALUE [--restart]"""

from __future__ import annotations

from machine.cli.machine_action import add_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.drivers.base import Traits
    from machine.lifecycle.change import Outcome

HELP = """Change machines that exist: memory, processors, disk, size of server, whatever their driver can change.

  machine set dev --qemu-memory 4096 --qemu-cpu-count 4 --restart
  machine set dev --qemu-disk-size 60000

What can be changed at once is; the rest is there after the next start, or now with --restart. Disks grow in place with
all that is on them, and never shrink."""


def add_arguments(parser: Parser) -> None:
    """Add the flags of what all drivers can change, for which driver is meant is known from the machines' records."""
    from machine.cli import driver_flags

    parser.add_argument("--restart", action="store_true", help="Restart machines that need it to have the change")
    parser.add_argument("--dry-run", action="store_true", help="Look whether it can be done, and change nothing")
    parser.add_argument("--json", action="store_true", help="Print what was changed as JSON")
    for traits in _changing_drivers():
        driver_flags.add_changeable_options(parser, traits)
    parser.explain_unknown.append(_explain_unknown)
    add_names(parser)


def _changing_drivers() -> Sequence[Traits]:
    """Return the traits of all drivers that can change a machine."""
    from machine.drivers import registry

    found = [registry.traits_of(name) for name in registry.TABLE]
    return [traits for traits in found if any(option.changeable for option in traits.options)]


def _explain_unknown(flag: str) -> str:
    """Return advice for a flag of create that cannot be changed later, "" for any other."""
    from machine.drivers import registry

    word = flag.lstrip("-").partition("=")[0]
    for name in registry.TABLE:
        options = registry.traits_of(name).options
        if any(option.name == word for option in options):
            can = " ".join(f"--{option.name}" for option in options if option.changeable)
            return f"--{word} is decided when a machine is made; of machines of the driver {name}, " + (
                f"{can} can be changed" if can else "nothing can be changed"
            )
    return ""


def run(args: Namespace, app: App) -> int:
    """Exit status 0 if all machines were changed, or are as they should be already."""
    from machine.cli import driver_flags
    from machine.cli.machine_action import on_each
    from machine.drivers import registry
    from machine.lifecycle import change

    names, values = app.names(args.names), driver_flags.typed_values(args)
    for name in names:  # all of them before the first is changed
        record = app.store.load(name)
        change.check_options(name, registry.find_recorded(record.driver_name, name).traits, values)
    outcomes: dict[str, Outcome] = {}

    def act(session: Any, name: str) -> None:
        outcomes[name] = change.change(session, name, values, with_restart=args.restart, dry_run=args.dry_run)

    status = on_each(app, names, act)
    _print(app, args, [outcomes[name] for name in dict.fromkeys(names) if name in outcomes])
    return status


def _print(app: App, args: Namespace, outcomes: Sequence[Outcome]) -> None:
    """Print JSON if that is asked for; of a dry run, what would be changed."""
    if args.json:
        documents = [_document(outcome) for outcome in outcomes]
        app.print_json(documents[0] if len(args.names) < 2 and documents else documents)
    elif args.dry_run:
        for outcome in outcomes:
            app.print_text("\n".join(_lines(outcome)))


def _document(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "Name": outcome.name,
        "Changes": {item.option: {"Before": item.before, "After": item.after} for item in outcome.changes},
        "Pending": list(outcome.pending),
        "RestartNeeded": outcome.running and bool(outcome.pending),
    }


def _lines(outcome: Outcome) -> Sequence[str]:
    from machine.lifecycle.change import value_text

    lines = [
        f"{outcome.name}: {item.option} {value_text(item.before)} -> {value_text(item.after)}"
        for item in outcome.changes
    ]
    return lines or [f"{outcome.name}: nothing would be changed"]
