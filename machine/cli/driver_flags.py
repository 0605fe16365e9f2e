"""A driver's options as flags of `create`: the driver that is meant, its flags for the parser, their typed values."""

from __future__ import annotations

from machine.booleans import parse_bool
from machine.drivers.registry import DEFAULT, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machine.cli.parser import Argument, Group, Namespace, Parser
    from machine.drivers.base import Traits
    from machine.options import Option

_DEST = "option:"  # the attribute for --NAME is this and NAME, which no other flag can have
_METAVARS = {"string": "TEXT", "int": "NUMBER", "bool": "true|false", "list": "ITEM"}


def driver_from_argv(parser: Parser) -> str:
    """Return the driver's name: that of the last -d or --driver, else $MACHINE_DRIVER, else the default one.

    Which flags take a value depends on the driver and is not known yet: every word that reads like -d counts, also one
    that is the value of another flag.
    """
    name = parser.environ.get("MACHINE_DRIVER") or DEFAULT
    argv = parser.argv
    for index, text in enumerate(argv):
        if text == "--":
            break
        flag, equals, value = text.partition("=")
        if flag in ("-d", "--d", "--driver", "-driver"):
            if equals:
                name = value
            elif index + 1 < len(argv):
                name = argv[index + 1]
        elif text[:2] == "-d" and text[2:] in TABLE:
            name = text[2:]
    return name


def add_options(parser: Parser, driver_name: str, options: Sequence[Option]) -> None:
    """Add a driver's options under a heading of their own."""
    group = parser.add_argument_group(f"flags of the driver {driver_name}")
    for option in options:
        _add(group, option, _explain(option)).of_driver = True


def add_changeable_options(parser: Parser, traits: Traits) -> None:
    """Add what `machine set` changes of a driver's machines. Neither variables nor defaults count there."""
    group = parser.add_argument_group(f"of machines of the driver {traits.name}")
    for option in traits.options:
        if option.changeable:
            repeated = " [may be repeated]" if option.kind == "list" else ""
            _add(group, option, (option.help + repeated).replace("%", "%%"))


def _add(group: Group, option: Option, text: str) -> Argument:
    return group.add_argument(
        f"--{option.name}",
        dest=_DEST + option.name,
        action="append" if option.kind == "list" else "store",
        nargs="?" if option.kind == "bool" else None,
        const=True if option.kind == "bool" else None,
        type=_kind(option),
        default=None,
        metavar=_METAVARS[option.kind],
        help=text,
    )


def typed_values(args: Namespace) -> dict[str, Any]:
    """Return the values of the options that were typed, by the options' names."""
    attributes = {name[len(_DEST) :]: value for name, value in vars(args).items() if name.startswith(_DEST)}
    return {name: value for name, value in attributes.items() if value is not None}


def _kind(option: Option) -> Any:
    if option.kind == "int":
        return int
    if option.kind == "bool":
        return lambda text: parse_bool(text, f"--{option.name}")
    return str


def _explain(option: Option) -> str:
    extra = []
    if option.default not in (None, "", 0, False, []):
        extra.append(f"default {option.default}")
    if option.env:
        extra.append(f"${option.env}")
    if option.kind == "list":
        extra.append("may be repeated")
    if option.secret:
        extra.append("secret: not kept in config.json")
    text = option.help + (f" [{'; '.join(extra)}]" if extra else "")
    return text.replace("%", "%%")


def other_driver_resolution(flag: str, chosen_name: str) -> str:
    """Return advice for a flag that is not of driver `chosen_name` but of another one; "" if no driver has it."""
    from machine.drivers.registry import find

    word = flag.lstrip("-").partition("=")[0]
    for name in TABLE:
        if name != chosen_name and any(option.name == word for option in find(name).traits.options):
            return (
                f"-d {name} is missing: --{word} is a flag of the driver {name}, and this is a create of {chosen_name}"
            )
    similar = next((name for name in TABLE if name != chosen_name and word.startswith(f"{name}-")), "")
    return (
        f"machine drivers {similar} shows the flags of that driver; add -d {similar} for them to be known"
        if similar
        else ""
    )
