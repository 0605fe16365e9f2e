"""Every way in which OpenStack says no is a class with advice; checks make nothing and name the flag."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.openstack import conoha
from machine.drivers.openstack.driver import OpenStackDriver
from machine.drivers.openstack.errors import (
    BadAuthUrl,
    BadCertificate,
    BadPassword,
    BadServerGroup,
    BadZone,
    ServerFailed,
    translate,
)
from machine.errors import DriverError, PreflightFailed, as_preflight_error
from machine.model import State
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, refused, unmake, wait_for_state
from tests.drivers.fault_proxy import Answer, FaultProxy, answer, reply_with
from tests.drivers.openstack.fake_openstack import Stack, refusal
from tests.drivers.openstack.server import Cloud
from tests.engine.servers import Files
from tests.sshd import keygen

WORDS = [  # what the services say, and what it means
    (401, "The request you have made requires authentication.", errors.BadCredentials),
    (403, "Policy doesn't allow os_compute_api:servers:create to be performed.", errors.NotAllowed),
    (403, "Policy doesn't allow os_compute_api:os-keypairs:create to be performed.", errors.NotAllowed),
    (403, "Policy doesn't allow volume:create to be performed.", errors.NotAllowed),
    (403, "(rule:create_security_group and rule:x) is disallowed by policy", errors.NotAllowed),
    (403, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances", errors.QuotaExceeded),
    (403, "Only volume-backed servers are allowed for flavors with zero disk.", errors.BadVolume),
    (404, "The resource could not be found.", errors.NotFound),
    (404, "External network 1 is not reachable from subnet 2.", errors.BadNetwork),
    (400, "Can not find requested image", errors.BadImage),
    (400, "Flavor 9 could not be found.", errors.BadSize),
    (400, "Flavor's disk is too small for requested image.", errors.BadSize),
    (400, "Invalid key_name provided.", errors.BadKey),
    (400, "Keypair data is invalid: failed to generate fingerprint", errors.BadKey),
    (400, "Unable to find security_group with name or id 'x'", errors.BadFirewall),
    (400, "The requested availability zone is not available", BadZone),
    (400, "Network 1 could not be found.", errors.BadNetwork),
    (400, "Block Device Mapping is Invalid: failed to get volume 1.", errors.BadVolume),
    (400, "Volume status must be available or error", errors.InUse),
    (400, "Invalid input for field/attribute user_data. Value: x. 'x' is not a 'base64'", errors.BadUserData),
    (400, "Invalid input for field/attribute adminPass.", BadPassword),
    (400, "something new", errors.CloudError),
    (409, "Multiple possible networks found, use a Network ID to be more specific.", errors.BadNetwork),
    (409, "Key pair 'x' already exists.", errors.NameTaken),
    (409, "Security group rule already exists. Rule id is 1.", errors.NameTaken),
    (409, "Security Group 1 in use.", errors.InUse),
    (409, "Cannot 'stop' instance 1 while it is in vm_state stopped", errors.WrongState),
    (409, "Instance 1 is locked", errors.WrongState),
    (409, "No more IP addresses available on network 1.", errors.NoCapacity),
    (409, "Quota exceeded for resources: ['floatingip'].", errors.QuotaExceeded),
    (
        413,
        "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'.",
        errors.QuotaExceeded,
    ),
    (413, "This request was rate-limited.", errors.RateLimited),
    (429, "Too Many Requests", errors.RateLimited),
    (500, "Unexpected API Error.", errors.ServiceBroken),
    (503, "<html>", errors.ServiceBroken),
]
FAULTS = [  # what is noted on a server that came to nothing
    ("No valid host was found. There are not enough hosts available.", errors.NoCapacity),
    (
        "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures",
        errors.NoCapacity,
    ),
    ("Build of instance 1 aborted: Failed to allocate the network(s), not rescheduling.", errors.BadNetwork),
    ("Build of instance 1 aborted: Volume 2 did not finish being created", errors.BadVolume),
    ("ServerGroup policy is not supported: Anti-affinity instance group policy was violated", BadServerGroup),
    ("internal error: process exited while connecting to monitor", ServerFailed),
]


@pytest.mark.parametrize(("status", "text", "cls"), WORDS)
def test_every_refusal_has_its_class(status: int, text: str, cls: errors.ErrorClass) -> None:
    error = translate(status, text, "make a server")
    assert type(error) is cls
    assert error.status == status
    assert text in error.details
    assert error.resolution
    assert isinstance(as_preflight_error(error), PreflightFailed)
    assert isinstance(as_preflight_error(error), cls)


def test_a_question_for_something_absent_is_just_no() -> None:
    assert type(translate(404, "Image x not found", "ask", asking=True)) is errors.NotFound


@pytest.mark.parametrize(("fault", "cls"), FAULTS)
def test_a_server_that_came_to_nothing(cloud: Stack, fault: str, cls: type[DriverError], tmp_path: Path) -> None:
    before = cloud.listing()
    cloud.project.fault = fault
    driver = new(cloud, tmp_path)
    driver.check()
    driver.create()
    with pytest.raises(cls) as caught:
        wait_for_state(driver, State.RUNNING)
    assert fault in caught.value.details
    other = again(driver)
    assert other.state() is State.ERROR, "for `ls` it is a state"
    assert isinstance(other, OpenStackDriver)
    assert fault in other.explain()
    unmake(other)
    assert cloud.listing() == before


@pytest.mark.parametrize("flags", [{}, {"openstack-volume-size": 20}])
def test_a_resume_after_that_makes_another(cloud: Stack, flags: dict[str, Any], tmp_path: Path) -> None:
    """The one that came to nothing goes first, and its volume with it."""
    before = cloud.listing()
    cloud.project.fault = "No valid host was found."
    driver = new(cloud, tmp_path, **flags)
    driver.check()
    create_until_done(driver)
    with pytest.raises(errors.NoCapacity):
        wait_for_state(driver, State.RUNNING)
    other = again(driver)
    create_until_done(other)
    wait_for_state(other, State.RUNNING)
    assert cloud.machines() == 1
    unmake(again(other))
    assert cloud.listing() == before


@pytest.mark.parametrize(
    ("flag", "value", "cls"),
    [
        ("flavor-name", "none-such", "BadSize"),
        ("image-name", "none-such", "BadImage"),
        ("net-name", "none-such", "BadNetwork"),
        ("floatingip-pool", "private", "BadNetwork"),  # it is there, and not external
        ("sec-groups", "none-such", "BadFirewall"),
        ("availability-zone", "none-such", "BadZone"),
        ("server-group-name", "none-such", "BadServerGroup"),
        ("volume-type", "none-such", "BadVolume"),
        ("volume-id", "none-such", "BadVolume"),
        ("user-data-file", "/nonexistent/data", "BadUserData"),
        ("private-key-file", "/nonexistent/id", "PreflightFailed"),
        ("region", "none-such", "BadRegion"),
    ],
)
def test_what_is_not_there_is_named_with_its_flag(
    cloud: Stack, flag: str, value: str, cls: str, tmp_path: Path
) -> None:
    error = refused(cloud, tmp_path, **{flag: value})
    assert type(error).__name__ == cls
    assert f"--openstack-{flag}" in error.resolution
    assert value in error.brief + error.details
    if flag in ("image-name", "net-name", "floatingip-pool", "sec-groups"):
        assert "there are: " in error.details


def test_a_key_pair_that_is_not_there(cloud: Stack, tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    error = refused(cloud, tmp_path, keypair_name="none-such", private_key_file=str(key))
    assert isinstance(error, errors.BadKey)
    (tmp_path / "id.pub").unlink()
    assert "ssh-keygen -y" in refused(cloud, tmp_path, private_key_file=str(key)).resolution


def test_limits(cloud: Stack, tmp_path: Path) -> None:
    cloud.project.limit = 0
    error = refused(cloud, tmp_path)
    assert isinstance(error, errors.QuotaExceeded)
    assert "may have 0" in error.brief
    cloud.project.limit, cloud.project.gigabytes = 10, 29
    error = refused(cloud, tmp_path, volume_size=30)
    assert isinstance(error, errors.QuotaExceeded)
    assert error.brief == "the project has 0 GB of volumes and may have 29, and the root volume needs 30 more"


@pytest.mark.parametrize(
    ("what", "name"),
    [("port", "ports"), ("floatingip", "floating addresses"), ("security_group", "security groups")],
)
def test_limits_of_the_network(cloud: Stack, what: str, name: str, tmp_path: Path) -> None:
    have = 1 if what == "security_group" else 0
    cloud.project.quota[what] = have
    error = refused(cloud, tmp_path, floatingip_pool="public")
    assert isinstance(error, errors.QuotaExceeded)
    assert error.brief == f"the project has {have} {name} and may have {have}, and the machine needs 1 more"
    cloud.project.quota[what] = -1
    new(cloud, tmp_path, **{"openstack-floatingip-pool": "public"}).check()


@pytest.mark.parametrize(
    "said",
    [
        Answer(200, b'{"quota": {"port": {"limit": 5, "used": 1}}}', {"Content-Type": "application/json"}),
        Answer(200, b'{"quota": {"port": {"used": null}}}', {"Content-Type": "application/json"}),
        refusal(400, "badRequest", "Quotas have no details."),
        refusal(501, "computeFault", "Not implemented."),
    ],
)
def test_a_network_that_tells_its_limits_otherwise(cloud: Stack, said: Answer, tmp_path: Path) -> None:
    cloud.proxy.on("GET network/v2.0/quotas/ID/details", lambda proxy, call: said)
    new(cloud, tmp_path).check()


def test_a_cloud_that_does_not_tell_its_limits(cloud: Stack, tmp_path: Path) -> None:
    said: list[str] = []
    for status in (403, 404):
        driver = new(cloud, tmp_path)
        driver.ctx = replace(driver.ctx, log=said.append)
        said_no = refusal(status, "error", "No.")
        cloud.proxy.on("GET compute/v2.1/limits", reply_with(said_no), times=1)
        driver.check()
        assert f"limits of the project are not checked: {status}: No." in said.pop()


def test_images_that_do_not_fit(cloud: Stack, tmp_path: Path) -> None:
    image = cloud.project.images[0]
    image["min_disk"] = 21
    assert "21 GB" in refused(cloud, tmp_path).brief
    assert "21 GB" in refused(cloud, tmp_path, volume_size=20).brief
    image.update(min_disk=0, min_ram=4096)
    assert "4096 MB" in refused(cloud, tmp_path).brief
    image.update(min_ram=0, status="deactivated")
    assert "deactivated" in refused(cloud, tmp_path).brief


def test_of_several_images_the_newest(cloud: Stack, tmp_path: Path) -> None:
    newer = {**cloud.project.images[0], "id": "newer", "created_at": "2026-06-01T00:00:00Z"}
    broken = {**newer, "id": "broken", "status": "queued", "created_at": "2026-07-01T00:00:00Z"}
    cloud.project.images += [newer, broken]
    driver = new(cloud, tmp_path)
    driver.check()
    assert driver.dump()["ImageId"] == "newer"


def test_two_networks_to_choose_from(cloud: Stack, tmp_path: Path) -> None:
    cloud.project.network("second", "10.90.0")
    error = refused(cloud, tmp_path)
    assert "--openstack-net-name" in error.brief
    assert "private, second" in error.details
    driver = make(new(cloud, tmp_path, **{"openstack-net-name": "second"}))
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address.startswith("10.90.0.")
    unmake(driver)


def test_credentials_that_are_wrong(cloud: Stack, tmp_path: Path) -> None:
    for flags in ({"password": "another"}, {"username": "mallory"}, {"project_name": "another"}, {"domain_name": "x"}):
        assert isinstance(refused(cloud, tmp_path, **flags), errors.BadCredentials)


@pytest.mark.parametrize("path", ["/identity/v2.0", "/identity", "/identity/", "/identity/v3/"])
def test_urls_of_keystone(cloud: Stack, path: str, tmp_path: Path) -> None:
    new(cloud, tmp_path, **{"openstack-auth-url": cloud.proxy.url + path}).check()


@pytest.mark.parametrize("path", ["/compute/v2.1", "/nothing", "/nothing/v2.0", "/nothing/v3"])
def test_urls_of_something_else(cloud: Stack, path: str, tmp_path: Path) -> None:
    error = refused(cloud, tmp_path, auth_url=cloud.proxy.url + path)
    assert isinstance(error, BadAuthUrl)
    assert "OS_AUTH_URL" in error.resolution


def test_a_keystone_that_has_version_2_only(tmp_path: Path) -> None:
    old = Stack(Cloud(identity=("v2.0",)))
    try:
        for path in ("/identity/v2.0", "/identity", "/identity/v3"):
            error = refused(old, tmp_path, auth_url=old.proxy.url + path)
            assert isinstance(error, BadAuthUrl)
            assert conoha.AUTH_URL not in error.resolution
    finally:
        old.close()


def test_a_certificate_of_nobody(cloud: Stack, tmp_path: Path) -> None:

    files = Files(tmp_path / "pki")
    proxy = FaultProxy(cloud.cloud.url, str, tls=(str(files.server[0]), str(files.server[1])))
    try:
        error = refused(cloud, tmp_path, auth_url=f"{proxy.url}/identity/v3")
        assert isinstance(error, BadCertificate)
        assert "--openstack-cacert" in error.resolution
        error = refused(cloud, tmp_path, auth_url=f"{proxy.url}/identity/v3", cacert="/nonexistent/ca.pem")
        assert isinstance(error, errors.Unreachable)
    finally:
        proxy.close()


def test_nobody_waits_an_hour(cloud: Stack, tmp_path: Path) -> None:
    cloud.proxy.on(None, answer(429, b"{}", {"Retry-After": "3600"}))
    began = time.monotonic()
    error = refused(cloud, tmp_path)
    assert isinstance(error, errors.RateLimited)
    assert "3600" in error.details
    assert time.monotonic() - began < 60


def test_a_refused_server_says_why(cloud: Stack, tmp_path: Path) -> None:
    """And what was made before it goes with `rm`."""
    before = cloud.listing()
    driver = new(cloud, tmp_path)
    driver.check()
    cloud.proxy.on(cloud.making, lambda proxy, call: refusal(403, "forbidden", "Quota exceeded for cores: Requested 1"))
    with pytest.raises(errors.QuotaExceeded) as caught:
        driver.create()
    assert "Quota exceeded for cores" in caught.value.details
    unmake(again(driver))
    assert cloud.listing() == before


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['openstack'] = None\n"
        "from machine.drivers.openstack.client import Api\n"
        "from machine.drivers.openstack.config import Config\n"
        "try: Api(Config()).log_in()\n"
        "except Exception as error: print(type(error).__name__, error.exit_code, error.resolution)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    where = "in the source's directory; with pipx: pipx inject container-hosts openstacksdk"
    assert done.stdout == f"PreflightFailed 3 pip install '.[openstack]' {where}\n", done.stderr
