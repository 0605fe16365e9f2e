"""docs/add-a-cloud.md is true: its example is taken out of the page and makes a server of a small cloud over HTTP."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from machine import driver_api
from machine.driver_api import CloudDriver, Endpoint, MissingOptions, PreflightFailed, State, Verb, cloud_errors
from machine.options import resolve
from tests.drivers import contexts
from tests.imported import modules_of_ours

PAGE = Path(__file__).parents[2] / "docs" / "add-a-cloud.md"
TOKEN = "the-token"


class Sky:
    """An account of the page's cloud, at `url`."""

    def __init__(self) -> None:
        self.servers: dict[str, dict[str, Any]] = {}
        self.broken = 0  # so many answers to POST /servers are lost after they were done
        sky = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"null")
                allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
                status, found = sky.answer(self.command, self.path, body) if allowed else (401, "who are you?")
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and body of the answer to a call."""
        _, kind, *rest = path.split("/")
        if kind == "account":
            return 200, {"id": "a-1"}
        if kind == "sizes":
            return 200, ["small", "large"]
        if method == "GET":
            return 200, list(self.servers.values())
        if method == "DELETE":
            return 200, self.servers.pop(rest[0])
        if rest:
            self.servers[rest[0]]["state"] = "off" if rest[1] in ("stop", "kill") else "on"
            return 200, {}
        made = {**body, "id": f"s-{len(self.servers)}", "state": "on"}
        self.servers[made["id"]] = {**made, "address": "203.0.113.5", "private_address": "10.0.0.5"}
        self.broken -= 1
        return (500, "lost") if self.broken >= 0 else (200, self.servers[made["id"]])


@pytest.fixture
def sky() -> Iterator[Sky]:
    found = Sky()
    yield found
    found.server.shutdown()
    found.server.server_close()


def source() -> str:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def driver_class(monkeypatch: pytest.MonkeyPatch) -> type[CloudDriver[Any]]:
    """The example's class, from the page."""
    module = types.ModuleType("machine_sky")
    monkeypatch.setitem(sys.modules, "machine_sky", module)  # dataclasses look it up
    exec(compile(source(), str(PAGE), "exec"), module.__dict__)  # noqa: S102 - that is the point
    found: type[CloudDriver[Any]] = module.SkyDriver
    return found


def new(cls: type[CloudDriver[Any]], sky: Sky, place: Path, **given: Any) -> CloudDriver[Any]:
    """A machine that is not made yet; `place` has what it saves."""
    flags = {"sky-endpoint": sky.url, "sky-token": TOKEN} | {f"sky-{key}": value for key, value in given.items()}
    saved: list[dict[str, Any]] = []
    ctx = dataclasses.replace(contexts.real(place, "dev", saved), machine_id="0123456789abcdef")
    return cls.configure(ctx, resolve(cls.traits.options, flags, {}))


def test_it_imports_the_driver_api_and_nothing_else_of_the_program() -> None:
    assert modules_of_ours(source()) == {"machine.driver_api"}
    assert all(hasattr(driver_api, name) for name in driver_api.__all__)


def test_what_the_page_names_is_there(driver_class: type[CloudDriver[Any]]) -> None:
    """The methods of the table are those that a driver has to have, and the example has no others."""
    text = PAGE.read_text()
    abstract = CloudDriver.__abstractmethods__
    assert all(f"`{name}(" in text for name in abstract)
    assert driver_class.__abstractmethods__ == frozenset()
    own = {name for name, kind in vars(driver_class).items() if callable(kind) and not name.startswith("_")}
    assert own - {"config_class"} == abstract
    for module in re.findall(r"^\| `(\w+\.py)` \|", text, re.MULTILINE):
        places = (Path("machine/drivers/cloud"), Path("machine/drivers/digitalocean"))
        assert any((PAGE.parents[1] / place / module).exists() for place in places), module


def test_its_life(driver_class: type[CloudDriver[Any]], sky: Sky, tmp_path: Path) -> None:
    driver = new(driver_class, sky, tmp_path)
    driver.check()
    assert sky.servers == {}
    assert driver.state() is State.MISSING
    driver.create()
    driver.create()
    assert driver.state() is State.RUNNING
    assert driver.endpoint() == Endpoint("203.0.113.5", peer_address="10.0.0.5")
    assert driver.account_recorded() == driver.current_account() == "a-1"
    later = driver_class.load(driver.ctx, json.loads(json.dumps(driver.dump())))
    later.power(Verb.STOP)
    later.power(Verb.STOP)
    assert driver.state() is State.STOPPED
    later.create()
    assert driver.state() is State.RUNNING, "it is adopted, and switched on"
    assert len(sky.servers) == 1
    driver.remove()
    later.remove()
    assert sky.servers == {}
    with pytest.raises(cloud_errors.MachineGone, match="Sky has no server for dev any more"):
        later.power(Verb.START)


def test_a_lost_answer_makes_no_second_server(driver_class: type[CloudDriver[Any]], sky: Sky, tmp_path: Path) -> None:
    sky.broken = 1
    driver = new(driver_class, sky, tmp_path)
    driver.create()
    assert list(sky.servers) == [driver.dump()["ServerID"]]


def test_what_a_config_need_not_declare(driver_class: type[CloudDriver[Any]], sky: Sky, tmp_path: Path) -> None:
    """Sky has no flags for ports and networks; the kit asks its config for them all the same."""
    config = new(driver_class, sky, tmp_path).config
    assert [opening.first for opening in config.needed_port_ranges([3376])] == [22, 2376, 3376]
    assert (list(config.open_ports), list(config.allow_from), list(config.security_group_ids)) == ([], [], [])


def test_a_config_without_an_account_is_refused_at_once() -> None:
    """What `preflight` writes there would be lost, and with it the guard against other accounts."""
    with pytest.raises(TypeError, match="Config has no field account"):
        type("Config", (driver_api.CloudConfig,), {"flags": driver_api.DriverFlags("sky")})


def test_what_it_refuses(driver_class: type[CloudDriver[Any]], sky: Sky, tmp_path: Path) -> None:
    with pytest.raises(MissingOptions, match="token"):
        new(driver_class, sky, tmp_path, token="")
    for given, flag in (({"size": "huge"}, "--sky-size"), ({"token": "another"}, "SKY_TOKEN")):
        with pytest.raises(PreflightFailed) as caught:
            new(driver_class, sky, tmp_path, **given).check()
        assert flag in caught.value.resolution
    data = tmp_path / "data"
    data.write_text("nothing that cloud-init knows")
    with pytest.raises(PreflightFailed, match="user data"):
        new(driver_class, sky, tmp_path, userdata=str(data)).check()
