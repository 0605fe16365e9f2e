"""One machine's record: docker-machine's keys in and out, and the cheap answers read from it."""

from __future__ import annotations

import calendar
import json
import time
from typing import Any

import pytest

from machine.errors import RecordBroken, StoreError
from machine.model import Endpoint, EngineOptions, SwarmOptions
from machine.store import Record

ROOT = "/srv/store"


def made(driver_object: dict[str, Any], driver_name: str = "generic", **more: Any) -> Record:
    return Record.new(ROOT, "dev", driver_name, driver_object, **more)


def again(record: Record) -> Record:
    return Record.parse(record.encode(), record.root, record.name)


def parsed(**changes: Any) -> Record:
    raw = json.loads(made({"IPAddress": "192.0.2.1"}).encode())
    raw.update(changes)
    return Record.parse(json.dumps(raw).encode(), ROOT, "dev")


def test_a_new_record_has_exactly_docker_machines_keys_in_its_order() -> None:
    raw = json.loads(made({"IPAddress": ""}).encode())
    assert list(raw) == ["ConfigVersion", "Driver", "DriverName", "HostOptions", "Name", "Machine"]
    options = raw["HostOptions"]
    assert " ".join(options) == "Driver Memory Disk EngineOptions SwarmOptions AuthOptions"
    assert " ".join(options["EngineOptions"]) == (
        "ArbitraryFlags Dns GraphDir Env Ipv6 InsecureRegistry Labels LogLevel StorageDriver SelinuxEnabled"
        " TlsVerify RegistryMirror InstallURL"
    )
    assert " ".join(options["SwarmOptions"]) == (
        "IsSwarm Address Discovery Agent Master Host Image Strategy Heartbeat Overcommit ArbitraryFlags"
        " ArbitraryJoinFlags Env IsExperimental"
    )
    assert " ".join(options["AuthOptions"]) == (
        "CertDir CaCertPath CaPrivateKeyPath CaCertRemotePath ServerCertPath ServerKeyPath ClientKeyPath"
        " ServerCertRemotePath ServerKeyRemotePath ClientCertPath ServerCertSANs StorePath"
    )
    assert " ".join(raw["Driver"]) == (
        "IPAddress MachineName SSHUser SSHPort SSHKeyPath StorePath SwarmMaster SwarmHost SwarmDiscovery"
    )
    assert raw["ConfigVersion"] == 3
    assert raw["HostOptions"]["EngineOptions"]["TlsVerify"] is True


def test_the_text_is_docker_machines_and_holds_no_null() -> None:
    text = made({"IPAddress": ""}).encode().decode()
    assert text.startswith('{\n    "ConfigVersion": 3,\n    "Driver": {\n        "IPAddress": ""')
    assert text.endswith("}")
    assert "null" not in text
    assert '"Overcommit": 0,' in text


def test_what_was_asked_for_survives_the_disk() -> None:
    engine = EngineOptions(
        ("A=b c",), ("10.0.0.1:5000",), "distro", ("tier=é",), ("debug",), ("https://m",), "overlay2"
    )
    swarm = SwarmOptions(True, True, False, "token://x", "1.2.3.4", "tcp://0:1", "s:1", "binpack", ("a",), ("b",), True)
    record = again(
        made({"IPAddress": "192.0.2.1", "Mine": {"deep": [1, None]}}, engine=engine, swarm=swarm, sans=("a", "b"))
    )
    assert record.engine_options() == engine
    assert record.swarm_options() == swarm
    assert record.sans == ["a", "b"]
    assert record.driver_object["Mine"] == {"deep": [1, None]}
    assert (record.driver_object["SwarmMaster"], record.driver_object["SwarmDiscovery"]) == (True, "token://x")


def test_the_default_options_are_the_models() -> None:
    assert again(made({})).engine_options() == EngineOptions()
    assert again(made({})).swarm_options() == SwarmOptions()


def test_machine_ids_are_all_different() -> None:
    assert len({made({}).machine_id for _ in range(50)}) == 50
    assert again(made({}, machine_id="abc")).machine_id == "abc"


def test_phases_go_up_and_a_record_of_docker_machine_is_ready() -> None:
    record = made({})
    assert record.phase == "recorded"
    record.phase = "reachable"
    assert again(record).reached("created")
    assert not again(record).reached("provisioned")
    with pytest.raises(ValueError, match="half"):
        record.phase = "half"
    del record.raw["Machine"]
    old = again(record)
    assert (old.phase, old.machine_id) == ("ready", "")
    assert "Machine" not in old.raw
    old.phase = "created"
    assert again(old).phase == "created"


def test_the_end_of_the_certificates_is_kept_and_does_not_change_the_phase() -> None:
    record = made({})
    del record.raw["Machine"]
    record.certificates_end = "2031-01-31T23:59:59Z"
    assert again(record).certificates_end == "2031-01-31T23:59:59Z"
    assert again(record).phase == "ready"


def test_the_time_of_creation_is_kept_and_not_known_of_a_machine_of_docker_machine() -> None:
    before = int(time.time())
    record = made({})
    created = calendar.timegm(time.strptime(record.created, "%Y-%m-%dT%H:%M:%SZ"))
    assert before <= created <= time.time()
    assert again(record).created == record.created
    record.raw["Machine"]["Created"] = None
    assert again(record).created == ""
    del record.raw["Machine"]["Created"]
    assert again(record).created == ""
    del record.raw["Machine"]
    old = again(record)
    assert old.created == ""
    old.phase = "created"
    assert again(old).created == ""


@pytest.mark.parametrize(
    ("driver_name", "driver_object", "address", "url"),
    [
        ("generic", {"IPAddress": "192.0.2.1"}, "192.0.2.1", "tcp://192.0.2.1:2376"),
        ("generic", {"IPAddress": "192.0.2.1", "EnginePort": 4243}, "192.0.2.1", "tcp://192.0.2.1:4243"),
        ("generic", {"IPAddress": "box.example.org"}, "box.example.org", "tcp://box.example.org:2376"),
        ("generic", {"IPAddress": "2001:db8::1"}, "2001:db8::1", "tcp://[2001:db8::1]:2376"),
        ("generic", {"IPAddress": "[2001:db8::1]"}, "2001:db8::1", "tcp://[2001:db8::1]:2376"),
        ("amazonec2", {"IPAddress": "", "IPv6Address": "2001:db8::2"}, "2001:db8::2", "tcp://[2001:db8::2]:2376"),
        ("azure", {"IPAddress": "192.0.2.1", "DockerPort": 2377}, "192.0.2.1", "tcp://192.0.2.1:2377"),
        ("generic", {"IPAddress": ""}, "", ""),
        ("none", {"URL": "tcp://192.0.2.7:2375", "IPAddress": "192.0.2.7:2375"}, "192.0.2.7", "tcp://192.0.2.7:2375"),
        ("none", {"URL": "https://[2001:db8::7]:99/"}, "2001:db8::7", "https://[2001:db8::7]:99/"),
        ("none", {"URL": "tcp://engine"}, "engine", "tcp://engine"),
        ("none", {"IPAddress": "192.0.2.7:2375"}, "192.0.2.7", "tcp://192.0.2.7:2375"),
        ("none", {"URL": "unix:///var/run/docker.sock"}, "", "unix:///var/run/docker.sock"),
        ("none", {}, "", ""),
    ],
)
def test_address_and_url(driver_name: str, driver_object: dict[str, Any], address: str, url: str) -> None:
    record = again(made(driver_object, driver_name))
    assert (record.address(), record.url()) == (address, url)


def test_the_endpoint_is_the_cached_one() -> None:
    driver_object = {"IPAddress": "127.84.0.3", "SSHUser": "d", "SSHPort": 2222, "EnginePort": 23760}
    driver_object |= {"PeerAddress": "10.84.0.3", "ListenPort": 2376}
    assert again(made(driver_object)).endpoint() == Endpoint("127.84.0.3", "d", 2222, 23760, "10.84.0.3", 2376)
    assert again(made({"IPAddress": "192.0.2.1"})).endpoint() == Endpoint("192.0.2.1", "root", 22, 2376, "", 2376)
    assert again(made({"URL": "tcp://192.0.2.7:2375"}, "none")).endpoint() == Endpoint(
        "192.0.2.7", engine_port=2375, listen_port=2375
    )
    assert again(made({})).endpoint() is None


def test_the_ssh_key_is_the_recorded_one_else_the_machines_own(tmp_path: Any) -> None:
    directory = tmp_path / "machines" / "dev"
    directory.mkdir(parents=True)
    assert Record.new(str(tmp_path), "dev", "generic", {}).ssh_key_path() == ""
    (directory / "id_rsa").touch()
    assert Record.new(str(tmp_path), "dev", "generic", {}).ssh_key_path() == str(directory / "id_rsa")
    (directory / "id_ed25519").touch()
    assert Record.new(str(tmp_path), "dev", "generic", {}).ssh_key_path() == str(directory / "id_ed25519")
    recorded = Record.new(str(tmp_path), "dev", "generic", {"SSHKeyPath": "/home/a/.ssh/key"})
    assert recorded.ssh_key_path() == "/home/a/.ssh/key"


def test_the_global_certificate_flags_are_recorded() -> None:
    auth = made({}, tls={"ca_cert": "/x/ca.pem", "client_key": "/x/key.pem"}).auth
    assert (auth["CaCertPath"], auth["ClientKeyPath"]) == ("/x/ca.pem", "/x/key.pem")
    assert auth["CaPrivateKeyPath"] == f"{ROOT}/certs/ca-key.pem"
    assert auth["StorePath"] == f"{ROOT}/machines/dev"


def test_keys_are_found_whatever_their_case_and_unknown_ones_stay() -> None:
    raw = {
        "configversion": 3,
        "drivername": "openstack",
        "DRIVER": {"ipaddress": "192.0.2.1", "sshport": 2200, "DomainId": "d", "Flavorid": "f", "Rancher": 1},
        "hostoptions": {
            "authoptions": {"servercertsans": ["x"], "ServerName": "n"},
            "EngineOptions": {"installurl": "none"},
            "CustomInstallScript": "s",
        },
        "RawDriver": "abc",
    }
    record = Record.parse(json.dumps(raw).encode(), ROOT, "dev")
    assert record.endpoint() == Endpoint("192.0.2.1", ssh_port=2200)
    assert (record.driver_object["DomainID"], record.driver_object["FlavorId"], record.driver_object["Rancher"]) == (
        "d",
        "f",
        1,
    )
    assert "DomainId" not in record.driver_object
    assert record.sans == ["x"]
    assert record.auth["ServerName"] == "n"
    assert record.engine_options().install_url == "none"
    assert record.raw["HostOptions"]["CustomInstallScript"] == "s"
    assert record.raw["RawDriver"] == "abc"


def test_the_right_spelling_wins_over_another_case() -> None:
    record = parsed(Driver={"ipaddress": "192.0.2.9", "IPAddress": "192.0.2.1"})
    assert record.address() == "192.0.2.1"


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"EngineOptions": None, "SwarmOptions": None, "AuthOptions": None},
        {
            "EngineOptions": {"Labels": None},
            "SwarmOptions": {"Env": None, "Host": None},
            "AuthOptions": {"CertDir": None},
        },
    ],
)
def test_null_is_read_and_never_written(options: Any) -> None:
    record = parsed(HostOptions=options, Machine=None)
    assert record.engine_options() == EngineOptions()
    assert record.auth["CaCertPath"] == f"{ROOT}/certs/ca.pem"
    assert "null" not in record.encode().decode()


def test_the_directorys_name_wins() -> None:
    assert parsed(Name="other").raw["Name"] == "dev"


def test_numbers_keep_their_digits() -> None:
    big = 9007199254740993  # 2**53 + 1: lost by readers that use floats
    record = parsed(Driver={"DropletID": big, "Price": 0.5})
    assert f'"DropletID": {big}' in record.encode().decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Name": 7}, "Name"),
        ({"Driver": []}, "Driver"),
        ({"Driver": "x"}, "Driver"),
        ({"DriverName": ""}, "driver"),
        ({"DriverName": None}, "driver"),
        ({"DriverName": {}}, "DriverName"),
        ({"HostOptions": "x"}, "HostOptions"),
        ({"HostOptions": {"EngineOptions": []}}, "EngineOptions"),
        ({"HostOptions": {"EngineOptions": {"Labels": "a=b"}}}, "HostOptions.EngineOptions.Labels"),
        ({"HostOptions": {"EngineOptions": {"Labels": [1]}}}, "Labels"),
        ({"HostOptions": {"SwarmOptions": {"Master": 1}}}, "Master"),
        ({"HostOptions": {"SwarmOptions": {"Overcommit": "0"}}}, "Overcommit"),
        ({"HostOptions": {"Memory": True}}, "Memory"),
        ({"HostOptions": {"Memory": 2**63}}, "Memory"),
        ({"ConfigVersion": 4}, "ConfigVersion 4"),
        ({"ConfigVersion": -1}, "ConfigVersion"),
        ({"ConfigVersion": "3"}, "ConfigVersion"),
        ({"ConfigVersion": 3.0}, "ConfigVersion"),
        ({"Machine": []}, "Machine"),
        ({"Machine": {"KeepHostname": "yes"}}, "Machine.KeepHostname"),
        ({"Machine": {"SwarmMode": "manager"}}, "Machine.SwarmMode"),
        ({"Machine": {"Imported": True}}, "Machine.Imported"),
        ({"Machine": {"Phase": "half"}}, "Phase"),
        ({"Driver": {"SSHPort": 65536}}, "SSHPort"),
        ({"Driver": {"EnginePort": -1}}, "EnginePort"),
        ({"Driver": {"IPAddress": "-oProxyCommand=x"}}, "IPAddress"),
        ({"Driver": {"SSHUser": "-l"}}, "SSHUser"),
        ({"Driver": {"IPAddress": "1.2.3.4 x"}}, "IPAddress"),
        ({"Driver": {"SSHKeyPath": "a\nb"}}, "SSHKeyPath"),
        ({"Driver": {"URL": "tcp://\u202eevil"}}, "URL"),
        ({"DriverName": "a\x1b[31m"}, "DriverName"),
    ],
)
def test_a_wrong_kind_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordBroken) as caught:
        parsed(**change)
    assert "dev" in caught.value.brief
    assert said in caught.value.details
    assert "machine rm -f dev" in caught.value.resolution


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"a": "\xe9"}', "UTF-8"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested"),
        (b'{"ConfigVersion": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"ConfigVersion": NaN}', "NaN"),
        (b'{"x": -Infinity}', "Infinity"),
        (b'{"x": 1e999}', "too large"),
        (b'{"DriverName": "a"} {}', "not JSON"),
    ],
)
def test_bytes_that_are_no_record(data: bytes, said: str) -> None:
    with pytest.raises(RecordBroken) as caught:
        Record.parse(data, ROOT, "dev")
    assert said in caught.value.details


def test_a_byte_order_mark_does_no_harm() -> None:
    assert (
        Record.parse(b"\xef\xbb\xbf" + made({"IPAddress": "192.0.2.1"}).encode(), ROOT, "dev").address() == "192.0.2.1"
    )


def test_what_is_not_json_cannot_be_saved() -> None:
    for value in ({1, 2}, float("nan"), "\udc80"):
        record = made({"IPAddress": "192.0.2.1", "Mine": value})
        with pytest.raises(StoreError, match="dev"):
            record.encode()


def test_shown_holds_no_clear_text_of_known_drivers_and_changes_nothing() -> None:
    record = made({"AccessToken": "tok", "Size": "s"}, "digitalocean")
    assert record.redacted()["Driver"]["AccessToken"] == ""
    assert record.redacted()["Driver"]["Size"] == "s"
    assert record.driver_object["AccessToken"] == "tok"
    assert made({"Password": "p"}, "vmwarevsphere").redacted()["Driver"]["Password"] == "p"


def test_a_path_that_is_no_utf8_is_named_with_a_cure() -> None:
    record = Record.new("/h\udcffome/.docker/machine", "dev", "generic", {"IPAddress": "192.0.2.1"})
    with pytest.raises(StoreError, match="no UTF-8") as caught:
        record.encode()
    assert "/h\\udcffome" in caught.value.brief
    assert "MACHINE_STORAGE_PATH" in caught.value.resolution
    caught.value.brief.encode()
