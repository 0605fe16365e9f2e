"""The manual as a site: it builds without a warning, every page is in its navigation, nothing is fetched elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = (
    pytest.mark.slow
)  # the descriptions of two APIs are read out of the source; half a minute on a busy computer
ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}  # what a browser fetches
LINK_RELATIONS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` does; a warning, such as one of a link to nowhere, is an error."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


def test_every_page_of_the_manual_is_a_page_of_the_site(site: Path) -> None:
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page.replace("README", "index") for page in pages} <= built


def test_the_site_can_be_read_from_the_disk(site: Path) -> None:
    """A link leads to a file, not to a directory; the search has its words in a script, and a Worker for file:."""
    links = {
        (page, target)
        for page in site.rglob("*.html")
        if page.name != "404.html"  # which a server shows for any path
        for target in re.findall(r'<a [^>]*?href="([^"#?:]+)(?:#[^"]*)?"', page.read_text())
    }
    assert len(links) > 1000
    assert [(page.name, target) for page, target in links if not (page.parent / unquote(target)).is_file()] == []
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = {")
    assert 'src="assets/iframe-worker.js"' in (site / "index.html").read_text()


def test_a_browser_fetches_nothing_from_other_hosts(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert {url for page in pages for url in fetched(page)} == set()
    assert [page for page in pages if 'class="mermaid"' in page.read_text()] == []  # the theme fetches its program
    styles = [sheet.read_text() for sheet in site.rglob("*.css")]
    assert [url for text in styles for url in re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']*", text)] == []


def test_the_search_is_on_the_site_itself(site: Path) -> None:
    assert (site / "search" / "search_index.json").stat().st_size > 100_000
    workers = list((site / "assets" / "javascripts" / "workers").glob("search*.js"))
    assert len(workers) == 1
    assert re.findall(r"importScripts\([^)]*//[^)]*\)", workers[0].read_text()) == []


def fetched(page: Path) -> set[str]:
    """Return the URLs of other hosts that a browser fetches to show a page."""
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            url = values.get(LOADED.get(tag, ""))
            if tag == "link" and LINK_RELATIONS & set((values.get("rel") or "").split()):
                url = values.get("href")
            if url and "//" in url.partition("?")[0]:
                found.add(url)

    Reader().feed(page.read_text())
    return found
