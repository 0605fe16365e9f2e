"""docs/add-a-backend.md is true: its examples are taken out of the page, installed and used."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from machine.backend_api import BackendContext, CallNext, Request, UsageError
from machine.swarm.pipeline import not_implemented
from machine.swarmd.backends.registry import names, open_pipeline
from tests.imported import modules_of_ours

PAGES = Path(__file__).parents[3] / "docs"
PAGE = PAGES / "add-a-backend.md"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's code as a package on the path, with the page's entry points."""
    text = PAGE.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (tmp_path / "shared_endpoint.py").write_text(code)
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    lines = tomllib.loads(toml)["project"]["entry-points"]["machine.backends"].items()
    info = tmp_path / "shared_endpoint-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shared-endpoint\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[machine.backends]\n" + "".join(f"{k} = {v}\n" for k, v in lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("shared_endpoint", None)


@contextlib.asynccontextmanager
async def chain(*specs: str) -> AsyncIterator[CallNext]:
    async with contextlib.AsyncExitStack() as stack:
        yield await open_pipeline([*specs, "simulator web"], BackendContext(not_implemented, {}, lambda _: None), stack)


@pytest.mark.usefixtures("installed")
async def test_the_examples_do_what_the_page_says() -> None:
    create = Request.json("POST", "/v1.44/containers/create?name=new", {"Image": "busybox"})
    async with chain("readonly /auth") as ask:
        assert (await ask(Request("GET", "/containers/json"))).ok
        reply = await ask(create)
        assert (reply.status, b"read-only" in await reply.read()) == (403, True)
        assert (await ask(Request("POST", "/auth"))).status == 404, "it passed: the simulator knows no /auth"
    async with chain("team blue") as ask:
        assert (await ask(create)).status == 201
        listed = await (await ask(Request("GET", "/containers/json?all=1"))).json_body()
        assert [each["Names"] for each in listed] == [["/new"]]


async def test_the_journal_is_written(installed: Path) -> None:
    path = installed / "calls.log"
    async with chain(f"journal {path}") as ask:
        await ask(Request("GET", "/info"))
        await ask(Request("POST", "/containers/web/stop"))
    assert re.fullmatch(r"\d+ POST /containers/web/stop 204\n", path.read_text())
    with pytest.raises(UsageError, match="path of its file"):
        async with chain("journal"):
            pass


def test_the_examples_import_the_backend_api_and_nothing_else_of_the_program() -> None:
    for source in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        assert modules_of_ours(source) == {"machine.backend_api"}


def test_they_are_listed(installed: Path) -> None:
    assert names()["team"] == "from shared_endpoint:team"


async def test_the_filter_of_the_manual_works(tmp_path: Path) -> None:
    lines = (PAGES / "swarmd.md").read_text().splitlines()
    start = lines.index("    #!/usr/bin/env python3")
    program = tmp_path / "filter.py"
    program.write_text("\n".join(line[4:] for line in lines[start : start + 9]) + "\n")

    async with chain(f"exec {sys.executable} {program}") as ask:
        for privileged, status in ((True, 403), (False, 201)):
            body = {"Image": "busybox", "HostConfig": {"Privileged": privileged}}
            assert (await ask(Request.json("POST", "/containers/create", body))).status == status
        assert (await ask(Request("GET", "/containers/json"))).ok


def test_every_backend_is_in_the_manual() -> None:
    text = (PAGES / "swarmd.md").read_text()
    missing = [name for name in names() if f"\n### `{name}" not in text]
    assert not missing


@pytest.mark.parametrize("line", ['aggregate "simulator --name a web db" "simulator --name b"'])
async def test_the_lines_of_the_manual_open(line: str) -> None:
    assert line in (PAGES / "swarmd.md").read_text()

    async with contextlib.AsyncExitStack() as stack:
        ask = await open_pipeline([line], BackendContext(not_implemented, {}, lambda _: None), stack)
        listed = await (await ask(Request("GET", "/containers/json"))).json_body()
        assert sorted(each["Names"][0] for each in listed) == ["/db", "/web"]
    await asyncio.sleep(0)
