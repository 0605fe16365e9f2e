"""The pages made from the program are as it would make them now, and what the others name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from machine import backend_api, driver_api
from machine.drivers.registry import TABLE as DRIVERS

ROOT = Path(__file__).parents[1]
PROJECT = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
PAGES = sorted([*(ROOT / name for name in PROJECT), *(ROOT / "docs").rglob("*.md")])
PLACE = re.compile(r"`((?:machine|tests|scripts|docs|examples)/[\w./-]+)`")  # a file or directory, in backquotes
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")  # of a picture, too; `](#heading)` is one of the page itself
BLOCK = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^( *)```.*?^\1```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", ["generate-docs", "draw-architecture", "draw-pictures", "draw-recording"])
def test_generated_pages_are_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = {path for path in PLACE.findall(page.read_text()) if "NAME" not in path}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    missing = []
    for target, heading in LINK.findall(CODE.sub("", page.read_text())):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (heading and heading not in anchors(path)):
            missing.append(f"{target}#{heading}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_of_a_page_are_whole(page: Path) -> None:
    """A row that follows no row begins a table, with the line of dashes after it; else the site shows its bars."""
    lines = BLOCK.sub("", page.read_text()).split("\n")
    begins = [
        (line, following)
        for before, line, following in zip(["", *lines], lines, [*lines[1:], ""], strict=False)
        if line.startswith("|") and not before.startswith("|")
    ]
    assert [line for line, following in begins if not re.fullmatch(r"\|[-:| ]+\|", following)] == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = re.findall(r"(?:- |: )([\w/.-]+\.md)$", navigation, re.MULTILINE)
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert pages - set(listed) == set(), "give each a row in mkdocs.yml"
    assert sorted(page for page in set(listed) if listed.count(page) > 1) == []


def test_every_driver_is_in_the_table_of_what_it_was_proved_against_and_in_what_it_needs() -> None:
    drivers = re.findall(r"^\| \[`(\w+)`\]\(drivers/\1\.md\)", (ROOT / "docs" / "drivers.md").read_text(), re.MULTILINE)
    assert sorted(drivers) == sorted(DRIVERS)
    needs = (ROOT / "docs" / "install.md").read_text().partition("## What each driver needs\n")[2].partition("\n## ")[0]
    rows = [cells[0] for cells in re.findall(r"^\| (.*`\w+`.*?) \|( .* \|)$", needs, re.MULTILINE)]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(DRIVERS)


@pytest.mark.parametrize(("page", "module"), [("api-drivers.md", driver_api), ("api-backends.md", backend_api)])
def test_every_name_of_an_api_has_its_place_on_the_page(page: str, module: ModuleType) -> None:
    """The site puts the descriptions there; `Values` is a type only, explained beside Option."""
    shown = re.findall(rf"^::: {module.__name__}\.(\w+)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    assert sorted({*shown, "Values"} if "Values" in module.__all__ else shown) == sorted(module.__all__)


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "commands").iterdir()), ids=lambda page: str(page.stem))
def test_a_command_has_examples(page: Path) -> None:
    examples = page.read_text().partition("## Examples\n")[2].partition("\n## ")[0]
    assert f"$ machine {page.stem}" in examples


def test_every_variable_that_is_read_has_a_row() -> None:
    """Those of drivers' options are in docs/drivers/flags.md, which is made from them."""
    source = "\n".join(path.read_text() for path in (ROOT / "machine").rglob("*.py"))
    read = set(
        re.findall(r"environ(?:\.get\(|\.pop\(|\[)\"([A-Z_]+)\"|\"([A-Z_]{4,})\" (?:not )?in \w*\.?environ", source)
    )
    pages = (ROOT / "docs" / "variables.md").read_text() + (ROOT / "docs" / "drivers" / "flags.md").read_text()
    internal = {"DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"}  # docker tells its plugins by it that they are one
    assert (
        sorted(name for pair in read for name in pair if name and f"`{name}`" not in pages and name not in internal)
        == []
    )


def test_the_glossary_is_in_alphabetical_order() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert rows == sorted(rows, key=str.lower)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    if page.suffix != ".md":
        return set()
    text = BLOCK.sub("", page.read_text())  # a comment is no heading
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
