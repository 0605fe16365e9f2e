"""The tables of flags in docs/drivers/*.md, and docs/drivers/flags.md, which has the flags of all drivers."""

from __future__ import annotations

from machine.drivers.registry import TABLE, find
from machine.options import Option
from manual.markdown import DOCS, table, with_part

DRIVERS = tuple(driver for driver in TABLE if (DOCS / "drivers" / f"{driver}.md").exists())
BEGIN, END = "<!-- flags: made by `make docs` from the options -->\n", "<!-- end of flags -->\n"
HEADS = ("flag", "variable", "default", "meaning")
FLAGS_HEAD = """\
---
hide: [toc]
---

# Flags of all drivers

<!-- Made by `make docs` from the options of the drivers; change the texts there. -->

What is typed wins over the variable, and the variable over the default. A flag that may be repeated takes a list with
commas in its variable. `machine create -d DRIVER --help` and `machine drivers DRIVER` print the same.

<div class="filter-table"></div>

"""


def page(driver: str) -> str:
    """Return docs/drivers/DRIVER.md with its table as it is now; a page that has its own words as it is."""
    return with_part(f"drivers/{driver}.md", BEGIN, END, table(HEADS, rows_of(driver)))


def rows_of(driver: str) -> list[tuple[str, ...]]:
    """Return flag, variable, default and meaning of every option of a driver."""
    return [row_of(option) for option in find(driver).traits.options]


def row_of(option: Option) -> tuple[str, ...]:
    """Return flag, variable, default and meaning of one option."""
    default = "" if option.default in (None, "", False, []) else f"`{option.default}`"
    notes = [note for note, holds in (("repeat it", option.kind == "list"), ("secret", option.secret)) if holds]
    flag = f"`--{option.name}`" + ("" if option.kind == "bool" else " " + option.kind.upper())
    meaning = option.help + (f" ({', '.join(notes)})" if notes else "")
    return flag, f"`{option.env}`" if option.env else "", default, meaning


def flags_page() -> str:
    """Return docs/drivers/flags.md: one table, which a script of the site filters as somebody types."""
    rows = [(f"[{driver}]({driver}.md)", *row) for driver in DRIVERS for row in rows_of(driver)]
    return FLAGS_HEAD + table(("driver", *HEADS), rows)
