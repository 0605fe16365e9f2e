"""What an API says that is not Hetzner's, or lies: no bug report, nothing of others is removed, nothing is left."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import Diagnosable, Driver, Priced
from machine.drivers.cloud import errors
from machine.drivers.hetzner.config import OWN_LABEL
from machine.drivers.hetzner.driver import GROUP_LOCK
from machine.errors import DriverError
from tests.drivers.cloud_stand_in import again, make, new, unmake
from tests.drivers.fault_proxy import Answer, Call, FaultProxy, answer, drop_answer
from tests.drivers.hetzner.fake_hetzner import Hetzner
from tests.sshd import keygen

Json = dict[str, Any]


def change(cloud: Hetzner, path: str, changed: Callable[[Json], None]) -> None:
    """From now on every server or type in an answer to a path is changed like this."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        given = proxy.forward(call)
        if not re.search(path, call.path):
            return given
        found = json.loads(given.body)
        for thing in [found[key] for key in ("server", "servers", "server_types") if key in found]:
            for one in thing if isinstance(thing, list) else [thing]:
                changed(one)
        return Answer(given.status, json.dumps(found).encode(), {"Content-Type": "application/json"})

    cloud.proxy.on(None, act)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"error": "x"}',
        b'{"error": {"code": ["a"], "message": null}}',
        b'{"error": {"code": null, "message": {}}}',
        b'{"error": {"code": "invalid_input", "message": "m", "details": {"fields": 7}}}',
    ],
    ids=lambda body: body[:60].decode(),
)
def test_an_error_of_another_shape_has_advice(cloud: Hetzner, body: bytes, tmp_path: Path) -> None:
    cloud.proxy.on(None, answer(422, body, {"RateLimit-Limit": "\x1b[31m", "RateLimit-Reset": "9" * 5000}))
    with pytest.raises(errors.CloudError) as caught:
        new(cloud, tmp_path, **cloud.impatient).check()
    assert caught.value.resolution


@pytest.mark.parametrize(
    "lie",
    [
        {"prices": [7]},
        {"prices": [{"location": "fsn1"}]},
        {
            "prices": [
                {
                    "location": "fsn1",
                    **{f"price_{per}": dict.fromkeys(("net", "gross"), "\x1b[2J") for per in ("hourly", "monthly")},
                }
            ]
        },
        {
            "prices": [
                {
                    "location": "fsn1",
                    **{f"price_{per}": dict.fromkeys(("net", "gross"), "9" * 99) for per in ("hourly", "monthly")},
                }
            ]
        },
    ],
)
def test_a_price_that_is_none_is_not_shown(cloud: Hetzner, lie: Json, tmp_path: Path) -> None:
    change(cloud, "/server_types", lambda found: found.update(lie))
    driver = new(cloud, tmp_path)
    assert isinstance(driver, Priced)
    with pytest.raises(errors.ServiceBroken, match="to show prices"):
        driver.prices()


def test_a_type_that_makes_no_sense_is_told(cloud: Hetzner, tmp_path: Path) -> None:
    change(cloud, "/server_types", lambda found: found.update(disk="x"))
    with pytest.raises(errors.ServiceBroken, match="to show what there is"):
        new(cloud, tmp_path).check()


@pytest.mark.parametrize(
    "lie",
    [
        {"public_net": None},
        {"public_net": {"ipv4": {"ip": "-oProxyCommand=id"}, "ipv6": None, "floating_ips": []}},
        {"public_net": {"ipv4": None, "ipv6": {"ip": "::1/128"}, "floating_ips": []}},
        {"public_net": {"ipv4": {"ip": None}, "ipv6": None, "floating_ips": [], "firewalls": [{"id": 0, "status": 1}]}},
    ],
)  # fmt: skip
def test_a_server_that_makes_no_sense_is_told(cloud: Hetzner, lie: Json, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))

    def lying(found: Json) -> None:
        net = lie["public_net"]
        filled = net and {
            **net,
            **{
                family: {"id": 1, "blocked": False, "dns_ptr": [], **net[family]}
                for family in ("ipv4", "ipv6")
                if net[family]
            },
        }
        found["public_net"] = filled

    change(cloud, "/servers", lying)
    with pytest.raises(errors.CloudError, match="makes no sense") as caught:
        driver.endpoint()
    assert caught.value.resolution
    assert isinstance(driver, Diagnosable)
    try:
        driver.explain()
    except DriverError as error:
        assert error.resolution


def test_an_api_that_overlooks_the_query_costs_nobody_a_server(cloud: Hetzner, tmp_path: Path) -> None:
    """As a proxy does that drops what it does not know: every server is then one of those that the query found."""
    other = make(new(cloud, tmp_path / "other", "other"))
    driver = make(new(cloud, tmp_path / "mine", "mine"))

    def overlook(proxy: FaultProxy, call: Call) -> Answer | None:
        path, _, query = call.path.partition("?")
        kept = "&".join(word for word in query.split("&") if not word.startswith(("label_selector", "fingerprint")))
        return proxy.forward(Call(call.method, f"{path}?{kept}", call.headers, call.body, call.name))

    cloud.proxy.on(None, overlook)
    unmake(again(driver))
    left = cloud.listing()
    assert left["servers"] == [other.dump()["ServerID"]]
    assert left["firewalls"] == [other.dump()["FirewallID"]]
    assert left["ssh_keys"] == [other.dump()["KeyID"]]


def test_a_list_without_end_is_left(cloud: Hetzner, tmp_path: Path) -> None:
    def go_on(proxy: FaultProxy, call: Call) -> Answer:
        found = json.loads(proxy.forward(Call(call.method, "/v1/locations", call.headers, call.body, call.name)).body)
        found["meta"]["pagination"]["next_page"] = 2
        return Answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    driver = new(cloud, tmp_path, **{"hetzner-server-location": "fsn1"})
    cloud.proxy.on("GET /v1/locations", go_on)
    with pytest.raises(errors.ServiceBroken, match=r"makes no sense \(to list locations\)") as caught:
        driver.check()
    assert "pages" in caught.value.details
    assert caught.value.resolution
    assert cloud.proxy.names().count("GET /v1/locations") <= 300


def test_a_key_that_a_sibling_is_about_to_be_made_with_stays(cloud: Hetzner, tmp_path: Path) -> None:
    """Both have the user's own, which the first one brought to the project. It goes with the last of them."""
    own = tmp_path / "own"
    keygen(own)
    flags = {"hetzner-existing-key-path": str(own)}

    def made(name: str) -> Driver:
        driver = new(cloud, tmp_path / name, name, **cloud.impatient, **flags)
        driver.ctx = dataclasses.replace(driver.ctx, public_key=own.with_suffix(".pub").read_text())
        return driver

    leaving, waiting = make(made("leaving")), made("waiting")
    waiting.check()
    waiting.ctx.save(waiting)
    cloud.proxy.on(cloud.making, answer(500, cloud.broken.body), times=1)
    with pytest.raises(errors.ServiceBroken):
        waiting.create()
    assert waiting.dump()["KeyID"] == leaving.dump()["KeyID"]
    leaving.ctx = dataclasses.replace(leaving.ctx, siblings=lambda: [waiting.dump()])
    unmake(leaving)
    assert list(cloud.project.ssh_keys) == [waiting.dump()["KeyID"]]
    unmake(make(again(waiting)))
    assert cloud.project.ssh_keys == {}


@pytest.mark.parametrize("resumed", [True, False])
def test_a_key_of_a_create_that_was_cut_goes_with_the_sibling_that_found_it(
    cloud: Hetzner, resumed: bool, tmp_path: Path
) -> None:
    """The first create brought the user's key to the project, and was cut; its `rm` came while the sibling waited."""
    own = tmp_path / "own"
    keygen(own)
    flags = {"hetzner-existing-key-path": str(own), "hetzner-key-label": ["of=me"]}
    before = cloud.listing()

    def cut(name: str) -> Driver:
        driver = new(cloud, tmp_path / name, name, **cloud.impatient, **flags)
        driver.ctx = dataclasses.replace(
            driver.ctx, public_key=own.with_suffix(".pub").read_text(), machine_id=name * 4
        )
        driver.check()
        driver.ctx.save(driver)
        cloud.proxy.on(cloud.making, answer(500, cloud.broken.body), times=1)
        with pytest.raises(errors.ServiceBroken):
            driver.create()
        return driver

    first, second = cut("first"), cut("second")
    first.ctx = dataclasses.replace(first.ctx, siblings=lambda: [second.dump()])
    unmake(first)
    (key,) = cloud.project.ssh_keys.values()
    assert key["labels"] == {"of": "me", OWN_LABEL: second.dump()["MachineLabel"]}
    unmake(make(again(second)) if resumed else again(second))
    assert cloud.listing() == before


def test_a_key_that_a_siblings_server_was_made_with_goes(cloud: Hetzner, tmp_path: Path) -> None:
    """The server has it inside: the project's copy is for servers that are still to be made."""
    driver = make(new(cloud, tmp_path))
    sibling = {"KeyID": driver.dump()["KeyID"], "ServerID": 1}
    driver.ctx = dataclasses.replace(driver.ctx, siblings=lambda: [sibling])
    unmake(driver)
    assert cloud.project.ssh_keys == {}


def test_a_server_that_create_never_heard_of_does_not_leave_its_group(cloud: Hetzner, tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.let_go = 0.3
    flags = {"hetzner-firewalls": ["none"], "hetzner-auto-spread": True}
    driver = new(cloud, tmp_path, **cloud.impatient, **flags)
    driver.check()
    driver.ctx.save(driver)
    cloud.proxy.on(cloud.making, drop_answer, times=1)
    with pytest.raises(errors.Unreachable):
        driver.create()
    unmake(again(driver))
    assert cloud.listing() == before


def test_a_server_made_by_a_later_try_is_behind_the_firewall_of_the_first(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.proxy.on(cloud.making, answer(500, cloud.broken.body), times=1)
    driver = new(cloud, tmp_path, **cloud.impatient)
    driver.check()
    driver.ctx.save(driver)
    with pytest.raises(errors.ServiceBroken):
        driver.create()
    driver = make(again(driver))  # checks once more
    (body,) = cloud.project.asked_for.values()
    assert body["firewalls"] == [{"firewall": driver.dump()["FirewallID"]}]


def test_a_removal_that_is_sent_elsewhere_was_not_made(cloud: Hetzner, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    elsewhere = Answer(302, b"", {"Location": f"{cloud.proxy.url}/v1/locations"})
    cloud.proxy.on("DELETE /v1/servers/ID", lambda proxy, call: elsewhere)
    with pytest.raises(errors.Unreachable) as caught:
        driver.remove()
    assert "--hetzner-endpoint" in caught.value.resolution
    assert cloud.machines() == 1


def test_a_group_that_another_machine_is_about_to_be_made_in_stays(cloud: Hetzner, tmp_path: Path) -> None:
    """Its record has the group, and its server is still to come."""
    flags = {"hetzner-auto-spread": True}
    waiting = new(cloud, tmp_path / "waiting", "waiting", **cloud.impatient, **flags)
    waiting.check()
    waiting.ctx.save(waiting)
    cloud.proxy.on(cloud.making, answer(500, cloud.broken.body), times=1)
    with pytest.raises(errors.ServiceBroken):
        waiting.create()
    leaving = new(cloud, tmp_path / "leaving", "leaving", **flags)
    leaving.ctx = dataclasses.replace(leaving.ctx, siblings=lambda: [waiting.dump()])
    unmake(make(leaving))
    assert list(cloud.project.placement_groups) == [waiting.dump()["PlacementGroupID"]]
    make(again(waiting))


def test_a_create_whose_answer_was_lost_finds_its_server_when_it_is_repeated(cloud: Hetzner, tmp_path: Path) -> None:
    """The second request is told that the name is taken: by what the first one made."""
    cloud.proxy.on(cloud.making, drop_answer, times=1)
    driver = make(new(cloud, tmp_path))
    assert [driver.dump()["ServerID"]] == cloud.listing()["servers"]
    assert cloud.proxy.names().count(cloud.making) == 2


def test_a_group_is_made_and_removed_by_one_command_at_a_time(cloud: Hetzner, tmp_path: Path) -> None:
    held: list[str] = []
    seen: list[list[str]] = []

    @contextlib.contextmanager
    def lock(name: str) -> Iterator[None]:
        held.append(name)
        yield
        held.remove(name)

    def look(proxy: FaultProxy, call: Call) -> Answer | None:
        seen.append(list(held))
        return proxy.forward(call)

    for name in ("POST /v1/placement_groups", "DELETE /v1/placement_groups/ID"):
        cloud.proxy.on(name, look)
    driver = new(cloud, tmp_path, **{"hetzner-auto-spread": True})
    driver.ctx = dataclasses.replace(driver.ctx, lock=lock)
    unmake(make(driver))
    assert seen == [[GROUP_LOCK]] * 2


def test_the_field_that_is_blamed_decides_and_not_the_name_of_something(cloud: Hetzner, tmp_path: Path) -> None:
    fields = [{"name": "image", "messages": ["is too old"]}]
    error = {"code": "invalid_input", "message": "image of my-volume is too old", "details": {"fields": fields}}
    cloud.proxy.on(cloud.making, answer(422, json.dumps({"error": error}).encode()))
    with pytest.raises(errors.BadImage):
        make(new(cloud, tmp_path))
