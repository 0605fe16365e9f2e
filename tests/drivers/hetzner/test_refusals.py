"""Every way in which Hetzner says no is a class with advice; checks make nothing and name the flag."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.hetzner.errors import translate
from machine.errors import DriverError, InProgress, PreflightFailed, as_preflight_error
from machine.model import State, Verb
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, refused, unmake, wait_for_state
from tests.drivers.fault_proxy import Answer, answer
from tests.drivers.hetzner.fake_hetzner import Hetzner, refusal
from tests.drivers.hetzner.server import READ_ONLY
from tests.sshd import keygen

WORDS = [  # what Hetzner says, and what it means
    ("unauthorized", "unable to authenticate", errors.BadCredentials),
    ("forbidden", "insufficient permissions", errors.NotAllowed),
    ("token_readonly", "token is only allowed to perform GET requests", errors.NotAllowed),
    ("not_found", "server not found", errors.NotFound),
    ("resource_unavailable", "error during placement", errors.NoCapacity),
    ("placement_error", "no space in placement group", errors.NoCapacity),
    ("resource_limit_exceeded", "server limit reached", errors.QuotaExceeded),
    ("uniqueness_error", "server name is already used", errors.NameTaken),
    ("locked", "server is locked", errors.WrongState),
    ("conflict", "resource changed", errors.WrongState),
    ("resource_in_use", "firewall is in use", errors.InUse),
    ("protected", "delete protection", errors.Protected),
    ("rate_limit_exceeded", "limit of 3600 requests per hour reached", errors.RateLimited),
    ("timeout", "took too long", errors.ApiTimeout),
    ("maintenance", "no changes at the moment", errors.ServiceBroken),
    ("invalid_input", "invalid input in field 'user_data' (user_data)", errors.BadUserData),
    ("invalid_input", "SSH key is invalid (public_key)", errors.BadKey),
    ("invalid_input", "invalid (rules.0.port)", errors.BadFirewall),
    ("invalid_input", "unsupported location for server type", errors.BadSize),
    ("invalid_input", "image not found (image)", errors.BadImage),
    ("invalid_input", "unknown (location)", errors.BadRegion),
    ("primary_ip_assigned", "already", errors.BadNetwork),
    ("volume_already_attached", "already", errors.BadVolume),
    ("something_new", "whatever", errors.BadRequest),
    (404, "Not Found", errors.NotFound),
    (503, "Service Unavailable", errors.ServiceBroken),
    (200, "OK", errors.ServiceBroken),
]


@pytest.mark.parametrize(("code", "text", "cls"), WORDS)
def test_every_refusal_has_its_class(code: str | int, text: str, cls: errors.ErrorClass) -> None:
    error = translate(code, text, "make a server")
    assert type(error) is cls
    assert text in error.details
    assert error.resolution
    assert isinstance(as_preflight_error(error), PreflightFailed)


@pytest.mark.parametrize(
    ("flag", "value", "cls"),
    [
        ("image", "ubuntu-9", "BadImage"),
        ("image", "debian-11", "BadImage"),  # not made any more
        ("image-id", 999, "BadImage"),
        ("image-id", 429564330, "BadImage"),  # still being made
        ("server-type", "cx99", "BadSize"),
        ("server-location", "mars1", "BadRegion"),
        ("existing-key-id", "nobody", "BadKey"),
        ("volumes", ["none such"], "BadVolume"),
        ("networks", ["none such"], "BadNetwork"),
        ("firewalls", ["none such"], "BadFirewall"),
        ("firewalls", ["a=b"], "BadFirewall"),
        ("primary-ipv4", "198.51.100.9", "BadNetwork"),
        ("user-data-file", "/nonexistent/data", "BadUserData"),
    ],
)
def test_what_is_not_there_is_named_with_its_flag(
    cloud: Hetzner, flag: str, value: Any, cls: str, tmp_path: Path
) -> None:
    error = refused(cloud, tmp_path, **{flag: value})
    assert type(error).__name__ == cls
    assert f"--hetzner-{flag.removesuffix('-id') if flag == 'image-id' else flag}" in error.resolution
    assert str(value[0] if isinstance(value, list) else value) in error.brief


def test_the_nearest_name_and_all_others(cloud: Hetzner, tmp_path: Path) -> None:
    error = refused(cloud, tmp_path, server_type="CX24")
    assert "did you mean cx23?" in error.brief or "did you mean cx22?" in error.brief
    assert "cax11" in error.details
    assert "did you mean ubuntu-24.04?" in refused(cloud, tmp_path, image="ubuntu-24.10").brief
    assert "did you mean fsn1?" in refused(cloud, tmp_path, server_location="fsn").brief


def test_a_type_is_refused_where_it_is_not_sold(cloud: Hetzner, tmp_path: Path) -> None:
    elsewhere = refused(cloud, tmp_path, server_location="ash")
    assert "no cx23 in ash at all" in elsewhere.brief
    assert "fsn1, nbg1" in elsewhere.details
    sold_out = refused(cloud, tmp_path, server_type="cax11", server_location="nbg1")
    assert "at the moment" in sold_out.brief
    assert "to be had in: fsn1" in sold_out.details
    over = refused(cloud, tmp_path, server_type="cpx11", server_location="fsn1")
    assert "any more" in over.brief
    assert "to be had in: ash" in over.details
    assert "in any location any more" in refused(cloud, tmp_path, server_type="cx11").brief


def test_what_will_end_is_a_line_in_the_log(cloud: Hetzner, tmp_path: Path) -> None:
    import dataclasses

    said: list[str] = []
    driver = new(cloud, tmp_path, **{"hetzner-server-type": "cx22", "hetzner-image": "debian-12"})
    driver.ctx = dataclasses.replace(driver.ctx, log=said.append)
    driver.check()
    assert [line for line in said if "type cx22 is deprecated" in line and "2099-09-01" in line]
    assert [line for line in said if "debian-12 is deprecated" in line]


def test_images_fit_the_type(cloud: Hetzner, tmp_path: Path) -> None:
    assert "cx23 is x86" in refused(cloud, tmp_path, image_arch="arm").brief
    assert "needs a disk of 80 GB" in refused(cloud, tmp_path, image_id=429564329).brief
    driver = new(cloud, tmp_path, **{"hetzner-server-type": "CAX11"})
    driver.check()
    assert (driver.dump()["Type"], driver.dump()["FoundImageID"]) == ("cax11", 161547270)


def test_things_that_are_elsewhere_or_taken(cloud: Hetzner, tmp_path: Path) -> None:
    project = cloud.project
    project.make_volume("far", "nbg1")
    project.make_volume("near")["server"] = 7
    project.make_primary_ip("six", "2001:db8:9::/64")
    project.make_primary_ip("taken", "198.51.100.8")["assignee_id"] = 7
    assert "far is in nbg1, not in fsn1" in refused(cloud, tmp_path, volumes=["far"], server_location="fsn1").brief
    assert "another server" in refused(cloud, tmp_path, volumes=["near"]).brief
    assert "that is ipv6" in refused(cloud, tmp_path, primary_ipv4="six").brief
    assert "another server" in refused(cloud, tmp_path, primary_ipv4="198.51.100.8").brief
    driver = new(cloud, tmp_path, **{"hetzner-volumes": ["far"]})
    driver.check()
    assert driver.dump()["Location"] == "nbg1", "where the volume is"


def test_a_key_of_the_project_is_the_one_that_logs_in(cloud: Hetzner, tmp_path: Path) -> None:
    key, other = keygen(tmp_path / "id"), keygen(tmp_path / "other")
    there = cloud.project.make_ssh_key({"name": "mine", "public_key": Path(f"{key}.pub").read_text()})
    error = refused(cloud, tmp_path, existing_key_id="mine", existing_key_path=str(other))
    assert "is not the key mine" in error.brief
    before = cloud.listing()
    for name in ("mine", str(there["id"])):
        given = {"hetzner-existing-key-id": name, "hetzner-existing-key-path": str(key)}
        driver = make(new(cloud, tmp_path / name, **given))
        assert list(cloud.project.ssh_keys) == [there["id"]]
        unmake(again(driver))
        assert cloud.listing() == before
    same = new(cloud, tmp_path / "same")
    cloud.project.make_ssh_key({"name": "known", "public_key": same.ctx.public_key})
    before = cloud.listing()
    unmake(again(make(same)))
    assert cloud.listing() == before, "a key that was there before stays"


def test_bad_tokens(cloud: Hetzner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "credentials", lambda: {"HETZNER_API_TOKEN": "of nobody"})
    assert type(refused(cloud, tmp_path)).__name__ == "BadCredentials"
    monkeypatch.setattr(cloud, "credentials", lambda: {"HETZNER_API_TOKEN": "ofNobody"})
    assert "$HETZNER_API_TOKEN" in refused(cloud, tmp_path).resolution
    monkeypatch.setattr(cloud, "credentials", lambda: {"HETZNER_API_TOKEN": READ_ONLY})
    with pytest.raises(errors.NotAllowed) as caught:
        make(new(cloud, tmp_path))
    assert "Read & Write" in caught.value.resolution
    assert cloud.machines() == 0


def test_the_limit_of_the_project(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.project.limit = 0
    driver = new(cloud, tmp_path)
    with pytest.raises(errors.QuotaExceeded) as caught:
        make(driver)
    assert "hcloud all list" in caught.value.resolution
    unmake(again(driver))
    assert cloud.listing()["ssh_keys"] == cloud.listing()["firewalls"] == []


def test_a_name_that_another_server_has(cloud: Hetzner, tmp_path: Path) -> None:
    make(new(cloud, tmp_path / "a"))
    second = new(cloud, tmp_path / "b")
    with pytest.raises(errors.NameTaken) as caught:
        make(second)
    assert "another name" in caught.value.resolution
    unmake(again(second))
    assert cloud.machines() == 1


def test_a_server_that_cannot_be_made_is_asked_for_again_for_a_while(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.proxy.on(
        cloud.making, answer(412, refusal(412, "resource_unavailable", "error during placement").body), times=3
    )
    with pytest.raises(errors.NoCapacity):
        make(new(cloud, tmp_path / "at once"))
    driver = new(cloud, tmp_path / "patient", **{"hetzner-wait-on-error": 20})
    driver.check()
    driver.ctx.save(driver)
    with pytest.raises(InProgress, match="still making") as caught:
        driver.create()
    assert "placement" in caught.value.details
    create_until_done(driver)
    assert cloud.machines() == 1


@pytest.mark.parametrize("code", ["conflict", "locked"])
def test_what_something_else_holds_is_asked_for_again(cloud: Hetzner, tmp_path: Path, code: str) -> None:
    spoilt = refusal(423 if code == "locked" else 409, code, "please retry")
    for name in ("POST /v1/ssh_keys", "POST /v1/firewalls", "POST /v1/servers"):
        cloud.proxy.on(name, answer(spoilt.status, spoilt.body), times=1)
    driver = make(new(cloud, tmp_path))
    assert (cloud.machines(), len(cloud.project.firewalls), len(cloud.project.ssh_keys)) == (1, 1, 1)
    unmake(driver)


def test_what_no_waiting_mends_is_told_at_once(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.proxy.on(cloud.making, answer(422, refusal(422, "invalid_input", "SSH key is invalid (public_key)").body))
    with pytest.raises(errors.BadKey):
        make(new(cloud, tmp_path, **{"hetzner-wait-on-error": 600}))


def test_the_limit_of_calls_says_when_it_ends(cloud: Hetzner, tmp_path: Path) -> None:
    moment = int(time.time()) + 600
    spoilt = refusal(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached")
    headers = {**spoilt.headers, "RateLimit-Limit": "3600", "RateLimit-Reset": str(moment)}
    cloud.proxy.on(None, answer(429, spoilt.body, headers))
    with pytest.raises(errors.RateLimited) as caught:
        new(cloud, tmp_path, **cloud.impatient).check()
    assert time.strftime("%H:%M:%S UTC", time.gmtime(moment)) in caught.value.details
    assert "--hetzner-retry-seconds" in caught.value.resolution
    assert len(cloud.proxy.names()) == 1, "hcloud's own repetition is off"


@pytest.mark.parametrize(
    "body", [b'{"server_types": 7}', b'{"server_types": [7]}', b'{"server_types": [{"id": {}}]}', b"[]", b"{}"]
)
def test_answers_of_another_shape_are_errors_with_advice(cloud: Hetzner, body: bytes, tmp_path: Path) -> None:
    cloud.proxy.on(None, answer(200, body))
    with pytest.raises(DriverError) as caught:
        new(cloud, tmp_path, **cloud.impatient).check()
    assert caught.value.resolution


def test_a_server_in_the_middle_of_something(cloud: Hetzner, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    (server,) = cloud.project.servers.values()
    server["locked"] = True
    with pytest.raises(errors.WrongState) as caught:
        driver.power(Verb.STOP)
    assert caught.value.resolution
    server["status"] = "off"
    with pytest.raises(InProgress):
        driver.power(Verb.START)
    with pytest.raises(InProgress):
        driver.remove()
    server["locked"] = False
    driver.power(Verb.START)
    wait_for_state(driver, State.RUNNING)
    server["protection"]["delete"] = True
    with pytest.raises(errors.Protected) as stays:
        driver.remove()
    assert "protection" in stays.value.resolution
    server["protection"]["delete"] = False
    unmake(driver)


def test_a_spoilt_answer_to_the_create_names_what_was_done(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.proxy.on(cloud.making, lambda proxy, call: Answer(201, b'{"server": {}}', {}))
    driver = new(cloud, tmp_path, **cloud.impatient)
    with pytest.raises(errors.ServiceBroken) as caught:
        make(driver)
    assert "make the server contract" in caught.value.brief
