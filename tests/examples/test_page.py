"""The pages show the scripts that are examples, and those can be pasted."""

from __future__ import annotations

from tests.program import ROOT


def test_the_page_shows_the_script() -> None:
    script = (ROOT / "examples/hybrid/hybrid.sh").read_text()
    assert f"```sh\n{script}```" in (ROOT / "docs/hybrid.md").read_text()
    assert len(script.splitlines()) <= 15


def test_the_page_on_ci_shows_its_job() -> None:
    script = (ROOT / "examples/ci/job.sh").read_text()
    assert f"```sh\n{script}```" in (ROOT / "docs/first-ci.md").read_text()
