"""A plugin in Go, driven as the command line drives it, against the service it rents from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.drivers import registry
from machine.drivers.plugin import session
from machine.drivers.plugin.document import NOTES
from machine.drivers.plugin.driver import PluginDriver
from machine.errors import DriverError, PreflightFailed, UsageError
from machine.model import Endpoint, State, Verb
from machine.options import Option
from tests.drivers.plugin.driver import SECRETS, configured, session_of
from tests.drivers.plugin.fake_cloud import Cloud

pytestmark = pytest.mark.slow


def test_its_flags_are_options(cls: type[PluginDriver]) -> None:
    by_name = {option.name: option for option in cls.traits.options}
    assert by_name["testcloud-size"] == Option("testcloud-size", "int", "TESTCLOUD_SIZE", 2, "processors")
    assert by_name["testcloud-tag"].kind == "list"
    assert by_name["testcloud-protected"].kind == "bool"
    assert {option.name for option in cls.traits.options if option.secret} == set(SECRETS)


def test_the_life_of_a_machine(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """As lifecycle does it: configure, then each step with a driver loaded from the record, in one process."""
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="words", testcloud_size=3)
    driver.check()
    assert driver.state() is State.MISSING
    assert not cloud.servers
    driver = cls.load(driver.ctx, driver.dump())
    driver.create()
    driver.create()
    (server,) = cloud.servers.values()
    assert server.asked["root"] == "made-up-" + "x" * 20  # by the check, before the record was written
    assert server.asked["note"] == "words/pa55-of-the-user"  # known to the program only, not to its JSON
    assert (server.asked["size"], server.asked["tags"]) == (3, ["from", "the variable"])
    assert server.asked["key"].startswith("ssh-rsa ")
    last = saved[-1]
    assert (last["ServerID"], last["IPAddress"], last[NOTES]["Create"]) == (server.id, "127.0.0.1", "done")
    assert Path(last["SSHKeyPath"]).read_text().startswith("-----BEGIN RSA PRIVATE KEY")
    session.close_all()  # a later command, hence another process
    later = cls.load(driver.ctx, {**last, "FromTheFuture": 1})
    assert later.dump() == {**last, "FromTheFuture": 1}
    assert later.state() is State.RUNNING
    assert later.endpoint() == Endpoint("127.0.0.1", "root", 22)
    for verb, state in ((Verb.STOP, State.STOPPED), (Verb.START, State.RUNNING), (Verb.KILL, State.STOPPED)):
        later.power(verb)
        later.power(verb)
        assert later.state() is state
    asked = [line.rpartition("/")[2] for line in cloud.asked if line.endswith(("/start", "/stop"))]
    assert asked == ["stop", "start", "stop"]
    later.remove()
    later.remove()
    assert not cloud.servers


def test_a_record_of_docker_machine_is_kept_whole(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    theirs = {key: value for key, value in driver.data.items() if key != NOTES and not key.startswith("--")}
    session.close_all()
    again = cls.load(driver.ctx, {**theirs, "Unknown": {"kept": 1.5}})
    assert again.state() is State.RUNNING
    assert again.endpoint() is not None
    again.power(Verb.STOP)
    assert again.dump() == {**theirs, "Unknown": {"kept": 1.5}}
    assert cls.secret_options(again.dump()) == ()
    again.remove()
    assert not cloud.servers


def test_secrets_have_keys_of_their_own(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """By value, wherever the plugin's JSON has them: at the top, in an object, or not at all."""
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver = cls.load(driver.ctx, driver.dump())
    driver.create()
    dump = driver.dump()
    keys = {option.name: option.key for option in cls.secret_options(dump)}
    assert dump.pop(keys.pop("")) == "made-up-" + "x" * 20  # the plugin's own, known by its name
    assert keys == {
        "testcloud-api-token": "Token",
        "testcloud-password": "Account.Password",
        "testcloud-user-pass": "--testcloud-user-pass",
    }
    kept = {key: dump.pop(key) for key in keys.values()}
    assert kept == {keys[name]: value for name, value in SECRETS.items()}
    assert not any(value in json.dumps(dump) for value in SECRETS.values())
    assert cls.load(driver.ctx, {**dump, **kept}).data["Account"] == {"Project": "p", "Password": "pa55-of-the-project"}


def test_refusals_are_advice(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="requires --testcloud-api-token") as refused:
        configured(cls, tmp_path, cloud, testcloud_api_token="")
    assert "machine create -d testcloud --help" in refused.value.resolution
    driver, _ = configured(cls, tmp_path, cloud, testcloud_api_token="wrong")
    with pytest.raises(PreflightFailed, match="401"):
        driver.check()
    with pytest.raises(UsageError, match="64 bits"):
        configured(cls, tmp_path, cloud, testcloud_size=1 << 70)
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="panic", testcloud_user_pass="")
    driver.check()
    with pytest.raises(DriverError, match="could not create contract: panic in the driver: on demand") as panic:
        driver.create()
    assert panic.value.details == "with a second line"
    assert saved[-1][NOTES]["Create"] == "begun"
    cloud.full = True
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    with pytest.raises(DriverError, match="503"):
        driver.create()
    driver.remove()


def test_the_service_of_2015(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    old = registry.find("testcloud-old")
    assert issubclass(old, PluginDriver)
    driver, _ = configured(old, tmp_path, cloud)
    assert session_of(driver).service == "RpcServerDriver"
