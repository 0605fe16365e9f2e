"""What GitHub reads of this repository: valid by the published schemas, and what it calls is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
NEWEST_PYTHON = (3, 14)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", [path for path in WORKFLOWS if path.name != "release.yml"]),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [ROOT / ".github/ISSUE_TEMPLATE/config.yml"]),
        ("vendor.dependabot", [ROOT / ".github/dependabot.yml"]),
    ],
)
def test_the_files_fit_the_published_schemas(schema: str, files: list[Path]) -> None:
    pytest.importorskip("check_jsonschema")
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(path: Path) -> dict[str, Any]:
    """A workflow's content."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 it makes texts only, and `on` no boolean
    return loaded


def commands(path: Path) -> str:
    """All shell commands of a workflow, a line each."""
    steps = [step for job in workflow(path)["jobs"].values() for step in job.get("steps", [])]
    return "\n".join(step["run"] for step in steps if "run" in step)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_calls_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = commands(path)
    called = set(re.findall(r"\bmake ([a-z-]+)", said))
    assert called <= targets
    for name in re.findall(r"\bscripts/[\w.-]+", said):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"python3? -m (release\.\w+)", said):
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name
    for job in workflow(path)["jobs"].values():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file(), job["uses"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_more_rights_than_it_names(path: Path) -> None:
    found = workflow(path)
    assert found["permissions"] == {"contents": "read"}
    writers = {name for name, job in found["jobs"].items() if "write" in job.get("permissions", {}).values()}
    if "pull_request" in found.get("on", {}):
        assert all("refs/heads/main" in found["jobs"][name]["if"] for name in writers)
    for step in (step for job in found["jobs"].values() for step in job.get("steps", [])):
        assert "uses" not in step or re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+|release/v1)", step["uses"]), step
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize(("tag", "extra"), [("v1.2.3", []), ("v1.2.3rc1", ["--prerelease"])])
def test_a_candidate_is_not_shown_as_the_latest_release(tag: str, extra: list[str], tmp_path: Path) -> None:
    steps = workflow(ROOT / ".github/workflows/release.yml")["jobs"]["publish"]["steps"]
    (script,) = [step["run"] for step in steps if "gh release create" in step.get("run", "")]
    (tmp_path / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "gh").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_REF_NAME": tag}
    command = ["bash", "-e", "-c", script]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[: 3 + len(extra)] == ["release", "create", tag, *extra]
    assert ("--prerelease" in done.stdout) == bool(extra)


def test_the_units_run_on_both_systems_and_every_python_that_is_supported() -> None:
    matrix = workflow(ROOT / ".github/workflows/check.yml")["jobs"]["unit"]["strategy"]["matrix"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    minors = range(int(oldest.removeprefix(">=3.")), NEWEST_PYTHON[1] + 1)
    assert matrix["python"] == [f"3.{minor}" for minor in minors]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos"}


def test_a_hook_of_pre_commit_fetches_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy", "lint-imports", "shellcheck"}
