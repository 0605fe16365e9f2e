"""The seed: what cloud-init reads, and that it can be read from the image."""

from __future__ import annotations

import io
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pycdlib

from machine import names
from machine.drivers.images import port_reporter_unit, seed

PLAIN = seed.Seed(
    name="dev",
    machine_id="0123456789abcdef",
    user="machine",
    public_key="ssh-ed25519 AAAA machine-dev",
    host_key=("-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n", "ssh-ed25519 BBBB dev"),
    nat_mac="52:54:00:00:00:01",
    peer="10.84.7.1",
    lan_mac="02:54:0a:54:07:01",
    install_port_reporter=False,
)


def config(wanted: seed.Seed) -> dict[str, Any]:
    text = seed.documents(wanted)["user-data"]
    assert text.startswith("#cloud-config\n")
    found = json.loads(text.partition("\n")[2])
    assert isinstance(found, dict)
    return found


def test_the_user_its_key_and_sudo() -> None:
    (user,) = config(PLAIN)["users"]
    assert user["name"] == "machine"
    assert user["ssh_authorized_keys"] == ["ssh-ed25519 AAAA machine-dev"]
    assert "NOPASSWD" in user["sudo"]
    assert user["lock_passwd"] is True


def test_the_host_key_is_given_and_others_are_dropped() -> None:
    found = config(PLAIN)
    assert found["ssh_keys"] == {"ed25519_private": PLAIN.host_key[0], "ed25519_public": PLAIN.host_key[1]}
    assert found["ssh_deletekeys"] is True
    assert "ssh_keys" not in config(replace(PLAIN, host_key=("", "")))


def test_an_image_that_does_not_know_the_watcher_is_taught() -> None:
    assert "write_files" not in config(PLAIN)
    found = config(replace(PLAIN, install_port_reporter=True))
    assert [entry["path"] for entry in found["write_files"]] == [path for path, _, _ in port_reporter_unit.FILES]
    assert found["runcmd"] == [["systemctl", "enable", "--now", "machine-ports.service"]]


def test_both_cards_are_told_apart_by_their_macs() -> None:
    network = json.loads(seed.documents(PLAIN)["network-config"])
    cards = network["ethernets"]
    assert network["version"] == 2
    assert cards["nat0"]["match"]["macaddress"] == "52:54:00:00:00:01"
    assert cards["lan0"]["match"]["macaddress"] == "02:54:0a:54:07:01"
    assert cards["lan0"]["addresses"] == ["10.84.7.1/24"]


def test_a_long_name_becomes_a_host_name() -> None:
    meta = json.loads(seed.documents(replace(PLAIN, name="a" * 100))["meta-data"])
    assert meta == {"instance-id": "0123456789abcdef", "local-hostname": names.hostname("a" * 100)}
    assert len(meta["local-hostname"]) <= 63


def test_more_user_data_comes_along() -> None:
    text = seed.documents(replace(PLAIN, user_data="#!/bin/sh\necho hello\n"))["user-data"]
    assert text.startswith("#cloud-config-archive\n")
    more, ours = json.loads(text.partition("\n")[2])
    assert more == {"type": "text/x-shellscript", "content": "#!/bin/sh\necho hello\n"}
    assert ours["content"].startswith("#cloud-config\n")
    more, _ = json.loads(
        seed.documents(replace(PLAIN, user_data="#cloud-config\npackages: [jq]\n"))["user-data"].partition("\n")[2]
    )
    assert more["type"] == "text/cloud-config"


def test_the_image_holds_the_files_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    seed.write(str(path), PLAIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    try:
        assert disc.pvd.volume_identifier.decode().strip() == "cidata"
        for name, text in seed.documents(PLAIN).items():
            for kind in ("rr_path", "joliet_path"):
                out = io.BytesIO()
                disc.get_file_from_iso_fp(out, **{kind: f"/{name}"})
                assert out.getvalue().decode() == text
    finally:
        disc.close()
