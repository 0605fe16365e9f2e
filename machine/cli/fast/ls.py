"""`machine ls`."""

from __future__ import annotations

from machine.cli import expiry
from machine.cli.tokenize import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.ls_rows import Row
    from machine.cli.parser import Namespace, Parser
    from machine.template import Struct, Template

HELP = "List machines. A broken one is a row with its error; none makes the list fail."

DEFAULT_FORMAT = (
    "table {{.Name}}\t{{.Active}}\t{{.DriverName}}\t{{.State}}\t{{.URL}}\t{{.Swarm}}\t{{.DockerVersion}}\t{{.Error}}"
)

NEVER_CUT = ("NAME", "URL")  # headers


def add_arguments(parser: Parser) -> None:
    """Add the flags that say what to list and how."""
    parser.add_argument("--quiet", "-q", action="store_true", help="Names only; nothing is asked")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="swarm, driver, state, name (a regular expression) or label; may be repeated",
    )
    parser.add_argument(
        "--timeout", "-t", type=seconds, default=3.0, metavar="SECONDS", help="How long to wait for all of them (3)"
    )
    parser.add_argument("--format", "-f", metavar="TEMPLATE", help="Go template, or json, which shows the fields")
    parser.add_argument("--json", action="store_true", help="A JSON list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="Only these machines")


def run(args: Namespace, app: App) -> int:
    """Print the table, the template's lines, JSON, or names.

    Raises UsageError for a filter, TemplateError for a format.
    """
    names = list(dict.fromkeys(args.names)) or app.store.names()
    app.store.require(*args.names)
    if args.quiet and not args.filter:
        app.stdout.write("".join(name + "\n" for name in names))
        return 0
    rows = _rows(app, names, args)
    if args.quiet:
        app.stdout.write("".join(row.name + "\n" for row in rows))
        return 0
    _print(app, rows, args)
    expiry.warn(app, (row.record for row in rows if row.record is not None))
    return 0


def _rows(app: App, names: Sequence[str], args: Namespace) -> list[Row]:
    """Return the machines that pass the filters. With --quiet none is asked, unless for the filter of states."""
    from machine.cli.ls_rows import Filters, read_rows

    filters = Filters(args.filter)
    if warning := filters.unknown_state_warning():
        app.console.warn(warning)
    everything = read_rows(app.store, names)
    rows = [row for row in everything if filters.fit_record(row, everything)]
    if args.quiet and not filters.filters_state:
        return rows
    from machine.cli.poll import fill_in_states

    fill_in_states(app, rows, args.timeout)
    return [row for row in rows if filters.fit_state(row)]


def _print(app: App, rows: Sequence[Row], args: Namespace) -> None:
    from machine.cli.ls_rows import fields

    items = fields(rows, app.environ, app.flags.typed_store())
    if args.json or args.format == "json":
        app.print_json(items)
        return
    from machine.printable import in_values
    from machine.template import Template

    form = DEFAULT_FORMAT if args.format in (None, "", "table") else args.format
    as_table = form.startswith("table")
    template = Template(form.removeprefix("table").lstrip(" ") if as_table else form, escapes=True)
    lines = [template.render(in_values(item)) for item in items]
    if as_table:
        cells = [line.split("\t") for text in _header(template) + lines for line in text.split("\n")]
        lines = _table_lines(app, cells)
    if lines:
        app.print_text("\n".join(lines))
    if as_table and "{{.Error}}" in form:
        _print_truncated_errors(app, items, lines)


def _table_lines(app: App, cells: list[list[str]]) -> list[str]:
    """Return the table's lines, as wide as the terminal: half a name or URL is of no use, so they are cut last."""
    from machine.cli.text_table import align, terminal_width, without_empty

    width = terminal_width(app)
    return align(without_empty(cells, width), width, NEVER_CUT)


def _print_truncated_errors(app: App, items: Sequence[Struct], lines: Sequence[str]) -> None:
    """On stderr, the errors that the terminal had no room for: what to type stands at their ends."""
    from machine.printable import in_line

    for item in items:
        error = in_line(str(item["Error"]))
        if error and not any(error in line for line in lines):
            app.console.info(f"{item['Name']}: {error}")


def _header(template: Template) -> list[str]:
    """The template over the columns' names; none for one that looks into the options of swarm or engine."""
    from machine.cli.ls_rows import HEADERS
    from machine.errors import TemplateError
    from machine.template import Struct

    try:
        return [template.render(Struct(HEADERS))]
    except TemplateError:
        return []
