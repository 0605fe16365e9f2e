"""Every way in which DigitalOcean says no is a class with advice; checks make nothing and name the flag."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.digitalocean import client
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.driver import DigitalOceanDriver
from machine.drivers.digitalocean.errors import translate
from machine.errors import DriverError, PreflightFailed, as_preflight_error
from machine.model import State, Verb
from tests.drivers.cloud_stand_in import make, new, refused, unmake, wait_for_state
from tests.drivers.digitalocean.fake_digitalocean import Ocean, naming, refusal
from tests.drivers.fault_proxy import FaultProxy, answer
from tests.engine.servers import Files
from tests.sshd import keygen

JSON = {"Content-Type": "application/json"}
WORDS = [  # what DigitalOcean says, and what it means
    (401, "Unable to authenticate you", errors.BadCredentials),
    (403, "You are not authorized to perform this operation", errors.NotAllowed),
    (404, "The resource you were accessing could not be found.", errors.NotFound),
    (409, "duplicate name", errors.NameTaken),
    (409, "Volume is still attached to a Droplet.", errors.InUse),
    (422, "SSH Key is already in use on your account", errors.NameTaken),
    (422, "creating this/these droplet(s) will exceed your droplet limit", errors.QuotaExceeded),
    (422, "Size is not available in this region.", errors.NoCapacity),
    (422, "Region is not available", errors.NoCapacity),
    (422, "You specified an invalid size for Droplet creation.", errors.BadSize),
    (422, "You specified an invalid image for Droplet creation.", errors.BadImage),
    (422, "You specified an invalid region for Droplet creation.", errors.BadRegion),
    (422, "abc are invalid key identifiers for Droplet creation.", errors.BadKey),
    (422, "user_data is too long", errors.BadUserData),
    (422, "Droplet already has a pending event.", errors.WrongState),
    (422, "inbound rule ports are invalid", errors.BadFirewall),
    (422, "volume size is invalid", errors.BadVolume),
    (422, "VPC is not valid", errors.BadNetwork),
    (422, "something new", errors.CloudError),
    (429, "API rate limit exceeded.", errors.RateLimited),
    (500, "Unexpected server-side error", errors.ServiceBroken),
    (503, "<html>", errors.ServiceBroken),
]


@pytest.mark.parametrize(("status", "text", "cls"), WORDS)
def test_every_refusal_has_its_class(status: int, text: str, cls: errors.ErrorClass) -> None:
    error = translate(status, text, "make a droplet")
    assert type(error) is cls
    assert error.status == status
    assert text in error.details
    assert error.resolution
    assert isinstance(as_preflight_error(error), PreflightFailed)
    assert isinstance(as_preflight_error(error), cls)


@pytest.mark.parametrize(
    ("flag", "value", "cls"),
    [
        ("image", "ubuntu-16-04-x64", "BadImage"),
        ("image", "999", "BadImage"),
        ("image", "big-disk", "BadImage"),
        ("size", "512mb", "BadSize"),
        ("size", "gone-1gb", "NoCapacity"),
        ("region", "mars1", "BadRegion"),
        ("region", "nyc1", "BadRegion"),
        ("ssh-key-fingerprint", "00:11", "BadKey"),
        ("ssh-key-path", "/nonexistent/id", "PreflightFailed"),
        ("vpc-uuid", "c33931f2-a26a-4e61-b85c-4e95a2ec431b", "BadNetwork"),  # of another region
        ("vpc-uuid", "00000000-0000-0000-0000-000000000000", "BadNetwork"),
        ("volume", ["none such"], "BadVolume"),
        ("firewall", ["none such"], "BadFirewall"),
        ("reserved-ip", "198.51.100.9", "BadNetwork"),
        ("userdata", "/nonexistent/data", "BadUserData"),
    ],
)
def test_what_is_not_there_is_named_with_its_flag(
    cloud: Ocean, flag: str, value: Any, cls: str, tmp_path: Path
) -> None:
    error = refused(cloud, tmp_path, **{flag: value})
    assert type(error).__name__ == cls
    assert f"--digitalocean-{flag}" in error.resolution
    assert (value[0] if isinstance(value, list) else value) in error.brief


def test_an_image_that_the_region_has_not(cloud: Ocean, tmp_path: Path) -> None:
    assert "fra1" in refused(cloud, tmp_path, image="debian-13-x64", region="fra1").brief
    assert "fra1" in refused(cloud, tmp_path, size="s-2vcpu-4gb", region="fra1").brief


def test_things_that_are_elsewhere_or_taken(cloud: Ocean, tmp_path: Path) -> None:
    account = cloud.account
    account.make_volume({"name": "far", "size_gigabytes": 5, "region": "fra1"})
    far = account.make_reserved({"region": "fra1"})["ip"]
    account.make_volume({"name": "near", "size_gigabytes": 5, "region": "nyc3"})["droplet_ids"] = [7]
    assert "no volume far in nyc3" in refused(cloud, tmp_path, volume=["far"]).brief
    assert "attached to another" in refused(cloud, tmp_path, volume=["near"]).brief
    assert "another region" in refused(cloud, tmp_path, reserved_ip=far).brief
    other = make(new(cloud, tmp_path))
    taken = account.make_reserved({"droplet_id": other.dump()["DropletID"]})["ip"]
    assert "leads to the droplet contract" in refused(cloud, tmp_path, reserved_ip=taken).brief


def test_the_limit_and_a_locked_account(cloud: Ocean, tmp_path: Path) -> None:
    cloud.account.limit = 1
    driver = make(new(cloud, tmp_path))
    error = refused(cloud, tmp_path)
    assert type(error).__name__ == "QuotaExceeded"
    assert "1 droplets and may have 1" in error.brief
    for word in ("machine ls", "machine rm", "--digitalocean-access-token", "droplet_limit"):
        assert word in error.resolution
    unmake(driver)
    cloud.account.locked = True
    assert type(refused(cloud, tmp_path)).__name__ == "NotAllowed"


def test_a_limit_that_is_reached_meanwhile(cloud: Ocean, tmp_path: Path) -> None:
    """What was made before the refusal goes with `rm`."""
    before = cloud.listing()
    driver = new(cloud, tmp_path)
    driver.check()
    cloud.account.limit = 0
    with pytest.raises(errors.QuotaExceeded) as caught:
        driver.create()
    assert "exceed your droplet limit" in caught.value.details
    assert cloud.listing() != before
    unmake(driver)
    assert cloud.listing() == before


def test_a_token_that_may_not_read_the_account(cloud: Ocean, tmp_path: Path) -> None:
    cloud.proxy.on("GET /v2/account", answer(403, b'{"id": "forbidden", "message": "no"}'))
    unmake(make(new(cloud, tmp_path)))


def test_a_wrong_token(cloud: Ocean, tmp_path: Path) -> None:
    for token in ("dop_v1_another", "two words", "line\nbreak"):
        driver = new(cloud, tmp_path)
        assert isinstance(driver, DigitalOceanDriver)
        driver.api.config.access_token = token
        with pytest.raises(PreflightFailed) as caught:
            driver.check()
        assert type(caught.value).__name__ == "BadCredentials"
        assert token not in f"{caught.value.brief}{caught.value.details}{caught.value.resolution}"


def test_user_data_that_cannot_be_sent(cloud: Ocean, tmp_path: Path) -> None:
    path = tmp_path / "data"
    for content in (b"nothing that cloud-init knows", b"#!/bin/sh\n\xff", b"#!/bin/sh\n" + b"#" * 70000):
        path.write_bytes(content)
        assert str(path) in refused(cloud, tmp_path, userdata=str(path)).brief


def test_a_key_without_its_public_half(cloud: Ocean, tmp_path: Path) -> None:
    key = keygen(tmp_path / "own" / "id")
    Path(f"{key}.pub").unlink()
    assert "ssh-keygen -y" in refused(cloud, tmp_path, ssh_key_path=str(key)).resolution


def test_a_wait_of_an_hour_is_not_waited(cloud: Ocean, tmp_path: Path) -> None:
    throttled = refusal(429, "too_many_requests", "API rate limit exceeded.", **{"Retry-After": "3600"})
    cloud.proxy.on(None, answer(429, throttled.body, throttled.headers))
    assert type(refused(cloud, tmp_path)).__name__ == "RateLimited"
    assert len(cloud.proxy.calls) == 1


def test_a_busy_droplet(cloud: Ocean, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    cloud.account.boot = 5
    driver.power(Verb.STOP)
    with pytest.raises(errors.WrongState) as caught:
        driver.power(Verb.STOP)
    assert "pending event" in caught.value.details
    assert caught.value.resolution
    unmake(driver)


def test_a_droplet_that_never_was_and_one_of_a_moment_ago(cloud: Ocean, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path)
    assert driver.state() is State.MISSING
    assert driver.endpoint() is None
    driver.create()
    cloud.proxy.on("GET /v2/droplets/ID", answer(404, b'{"id": "not_found", "message": "no"}'), times=1)
    empty = b'{"droplets": [], "links": {}, "meta": {"total": 0}}'
    cloud.proxy.on("GET /v2/droplets", answer(200, empty), times=1)
    assert driver.state() is State.STARTING, "it was made a moment ago, and may not be known everywhere"
    wait_for_state(driver, State.RUNNING)
    cloud.forget()
    assert driver.state() is State.MISSING, "it was seen, so now it is gone"


def test_another_endpoint_may_have_a_path(cloud: Ocean, tmp_path: Path) -> None:
    with pytest.raises(DriverError):
        new(cloud, tmp_path, **{"digitalocean-endpoint": f"{cloud.proxy.url}/proxy/", **cloud.impatient}).check()
    assert cloud.proxy.calls[0].path.startswith("/proxy/v2/account")
    cloud.server.wrong.clear()  # the description knows no such path, and so says the account


ASK = """
import sys
from machine.drivers.digitalocean.client import ACCOUNT, Api
from machine.drivers.digitalocean.config import Config
from machine.errors import DriverError
try: print(Api(Config.from_record({"AccessToken": sys.argv[1], "Endpoint": sys.argv[2]})).get(ACCOUNT)["status"])
except DriverError as error: print(type(error).__name__, error.details, error.resolution)
"""


def asked(url: str, token: str, **environ: str) -> str:
    """What a process with that environment says of the account."""
    return subprocess.run(
        [sys.executable, "-c", ASK, token, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), **environ},
    ).stdout


def test_tls_to_a_cloud_with_a_ca_of_its_own(cloud: Ocean, tmp_path: Path) -> None:
    """Refused at once, with the reason; SSL_CERT_FILE makes the CA known, and may name no file at all."""
    files = Files(tmp_path / "pki")
    proxy = FaultProxy(cloud.server.url, naming, files.server)
    try:
        assert re.match("Unreachable.*certificate verify failed", asked(proxy.url, cloud.secrets[0]), re.DOTALL)
        assert asked(proxy.url, cloud.secrets[0], SSL_CERT_FILE=files.ca) == "active\n"
        assert "/nonexistent" in asked(proxy.url, cloud.secrets[0], SSL_CERT_FILE="/nonexistent")
        assert len(proxy.calls) == 1
    finally:
        proxy.close()


@pytest.mark.parametrize(
    "body",
    [
        b'{"regions": ["x"]}',
        b'{"regions": {"slug": "x"}}',
        b'{"regions": [{"slug": "x"}], "links": {"pages": {"next": "https://api.example/v2/regions?page=2"}}}',
    ],
    ids=["texts", "no list", "pages without end"],
)
def test_a_list_that_is_none(body: bytes, cloud: Ocean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", 5)
    cloud.proxy.on(None, answer(200, body, {"Content-Type": "application/json"}))
    with pytest.raises(errors.ServiceBroken):
        client.Api(Config.from_record({"AccessToken": "t", "Endpoint": cloud.proxy.url})).list_all(client.REGION)
    assert len(cloud.proxy.calls) <= 5


@pytest.mark.parametrize("lie", [{"networks": 7}, {"networks": {"v4": [7]}}, {"id": "x"}, {"id": None}])
def test_a_droplet_that_makes_no_sense_is_told(lie: dict[str, Any], cloud: Ocean, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    assert isinstance(driver, DigitalOceanDriver)
    droplet = {**(driver.find_machine() or {}), **lie}
    cloud.proxy.on("GET /v2/droplets/ID", answer(200, json.dumps({"droplet": droplet}).encode(), JSON))
    ask = driver.endpoint if "networks" in lie else driver.explain
    with pytest.raises(errors.ServiceBroken, match="DigitalOcean's answer makes no sense") as caught:
        ask()
    assert "--digitalocean-endpoint" in caught.value.resolution


def test_odd_links_are_the_end_of_a_list(cloud: Ocean) -> None:
    cloud.proxy.on(None, answer(200, b'{"regions": [], "links": {"pages": [1]}}', {"Content-Type": "application/json"}))
    assert (
        client.Api(Config.from_record({"AccessToken": "t", "Endpoint": cloud.proxy.url})).list_all(client.REGION) == []
    )


def test_without_the_sdk(cloud: Ocean, tmp_path: Path) -> None:
    """The error names the package."""
    (tmp_path / "libcloud").mkdir()
    (tmp_path / "libcloud" / "__init__.py").write_text("raise ImportError('not here')")
    path = f"{tmp_path}:{Path(__file__).parents[3]}"
    said = asked(cloud.proxy.url, cloud.secrets[0], PYTHONPATH=path)
    where = "in the source's directory; with pipx: pipx inject container-hosts apache-libcloud"
    assert said == f"PreflightFailed  pip install '.[digitalocean]' {where}\n"
