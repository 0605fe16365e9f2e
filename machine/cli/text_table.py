"""Tables for a terminal or a file: cells under each other, cut to the terminal's width where there is one."""

from __future__ import annotations

from machine.cli.parser import columns
from machine.printable import in_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machine.cli.app import App

_GAP = 3  # spaces between two columns; fewer where the terminal is narrow
_FLOOR = 8  # a column is not cut below this many characters, or below its header
CUT = "\N{HORIZONTAL ELLIPSIS}"


def print_table(app: App, rows: Sequence[Sequence[str]]) -> None:
    """Rows of cells on stdout, the first row being the header; cells may hold anything."""
    app.print_text("\n".join(align([[in_line(cell) for cell in row] for row in rows], terminal_width(app))))


def terminal_width(app: App) -> int:
    """Characters on a line of the terminal that stdout is; 0 if it is none and lines may have any length."""
    return columns() if app.stdout.isatty() else 0


def without_empty(table: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the table without its empty columns, if it is too wide with them for a line of `width` characters."""
    rows = [list(row) for row in table]
    if not width or len(rows) < 2 or sum(_widths(rows)) + len(rows[0]) - 1 <= width:
        return rows
    filled_columns = [at for at in range(len(rows[0])) if any("".join(row[at : at + 1]) for row in rows[1:])]
    return [[row[at] for at in filled_columns if at < len(row)] for row in rows]


def align(table: Sequence[Sequence[str]], width: int = 0, keep: Collection[str] = ()) -> list[str]:
    """The rows of `table` as lines, their cells under each other; a row may have fewer cells than the first.

    `width`: characters on a line of the terminal, 0 for any number. Where it is too narrow the gaps give way, down to
    one space, then the last column, then the widest ones, those with a header in `keep` after all others; what is cut
    ends in an ellipsis.
    """
    widths = _widths(table)
    gap = _GAP
    if width and table:
        floors = [max(_FLOOR, len(cell)) for cell in table[0]]
        gap = _fitting_gap(widths, len(table[0][-1]), width)
        kept_columns = {at for at, header in enumerate(table[0]) if header in keep}
        widths = _narrow(widths, floors, width - gap * (len(widths) - 1), kept_columns)
    lines = []
    for row in table:
        cells = [_cut(cell, widths[column]) for column, cell in enumerate(row)]
        line = "".join(cell.ljust(widths[column] + gap) for column, cell in enumerate(cells)).rstrip()
        lines.append(line[:width] if width else line)
    return lines


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    """Of each column, the length of its longest cell."""
    widths = [0] * max((len(row) for row in table), default=0)
    for row in table:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], len(cell))
    return widths


def _fitting_gap(widths: Sequence[int], last: int, width: int) -> int:
    """The widest gap, 3 to 1, with which all columns fit in; else all but the last, and `last` characters of that."""
    for gap in range(_GAP, 0, -1):
        if sum(widths) + (len(widths) - 1) * gap <= width:
            return gap
    gap = _GAP
    while gap > 1 and sum(widths[:-1]) + (len(widths) - 1) * gap + last > width:
        gap -= 1
    return gap


def _narrow(widths: Sequence[int], floors: Sequence[int], room: int, kept_columns: Collection[int]) -> list[int]:
    """`widths` taken down to `room` characters in all: the last column first, then the widest, `kept_columns` last."""
    narrowed = list(widths)
    floor_widths = [min(width, floors[at] if at < len(floors) else _FLOOR) for at, width in enumerate(narrowed)]
    if sum(narrowed) > room:
        narrowed[-1] = max(floor_widths[-1], room - sum(narrowed[:-1]))
    while sum(narrowed) > room:
        candidates = [at for at, width in enumerate(narrowed) if width > floor_widths[at]]
        if not candidates:
            break
        candidates = [at for at in candidates if at not in kept_columns] or candidates
        narrowed[max(candidates, key=lambda at: narrowed[at])] -= 1
    return narrowed


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + CUT
