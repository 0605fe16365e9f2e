"""The page shows the script that is tested, and it is one that can be pasted."""

from __future__ import annotations

from tests.program import ROOT


def test_the_page_shows_the_script() -> None:
    script = (ROOT / "examples/hybrid/hybrid.sh").read_text()
    assert f"```sh\n{script}```" in (ROOT / "docs/hybrid.md").read_text()
    assert len(script.splitlines()) <= 15
