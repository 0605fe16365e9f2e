"""Hooks of mkdocs: files of the project outside docs/ that pages link to are part of the site, under project/.

Links in the pages are those of the source tree (`../CONTRIBUTING.md`), which lead somewhere on a forge, too. Here each
is resolved as a path of the source tree and written as the path that the file has on the site.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, InclusionLevel

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "project"  # the directory of the site for what is outside docs/
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, CONTRIBUTING and CHANGELOG, and every other file that a page links to, such as an example."""
    linked = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in sorted(linked))]:
        for target in LINK.findall(page.read_text()):
            path = os.path.relpath((page.parent / target).resolve(), ROOT)
            if not path.startswith(("docs/", "..")) and (ROOT / path).is_file():
                linked.add(path)
    for path in sorted(linked):
        added = File.generated(config, f"{PROJECT}/{path}", abs_src_path=str(ROOT / path))
        if path == "README.md":
            added.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Return the text of a page with its links as paths of the site."""
    here = page.file.src_uri
    source = here.removeprefix(f"{PROJECT}/") if here.startswith(f"{PROJECT}/") else f"docs/{here}"

    def on_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[0]))
        target = path.removeprefix("docs/") if path.startswith("docs/") else f"{PROJECT}/{path}"
        return posixpath.relpath(target, posixpath.dirname(here) or ".")

    return LINK.sub(on_site, markdown)
