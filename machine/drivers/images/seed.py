"""The NoCloud seed: what cloud-init is told on the first boot, as an ISO image labelled cidata.

https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html. JSON is written where YAML is read.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from machine import files, names
from machine.drivers.images import nat as inside
from machine.drivers.images import port_reporter_unit

LABEL = "cidata"


@dataclass(frozen=True, slots=True)
class Seed:
    """What the machine is told. `host_key` is (private, public), both "" to let the machine make its own."""

    name: str
    machine_id: str
    user: str
    public_key: str
    host_key: tuple[str, str]
    nat_mac: str
    peer: str  # its address on the machines' network
    lan_mac: str  # of its card there; "" leaves the card alone
    install_port_reporter: bool  # the image has no port reporter of today's version: install it
    lan_bits: int = 24  # of the prefix of that network
    nat_static: bool = True  # the address inside the NAT is the usual one; False: asked for by DHCP
    files: tuple[tuple[str, str, str], ...] = ()  # more files: (path, mode, content)
    units: tuple[str, ...] = ()  # systemd units among them, to be started
    commands: tuple[tuple[str, ...], ...] = ()  # to be run at the end of the first boot
    early: tuple[tuple[str, ...], ...] = ()  # to be run at each boot, before users, keys and services
    user_data: str = ""  # more cloud-config, "" for none


def documents(seed: Seed) -> dict[str, str]:
    """File name -> content, as they lie on the seed."""
    config = "#cloud-config\n" + json.dumps(_user_data(seed), indent=1) + "\n"
    return {
        "meta-data": json.dumps({"instance-id": seed.machine_id, "local-hostname": names.hostname(seed.name)}) + "\n",
        "user-data": _archive(config, seed.user_data) if seed.user_data.strip() else config,
        "network-config": json.dumps(_network(seed), indent=1) + "\n",
    }


def iso(files: dict[str, str]) -> bytes:
    """An ISO 9660 image with Joliet and Rock Ridge names, labelled cidata."""
    import pycdlib  # 60 ms

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    for number, (name, text) in enumerate(sorted(files.items())):
        data = text.encode()
        disc.add_fp(io.BytesIO(data), len(data), f"/F{number}.;1", rr_name=name, joliet_path=f"/{name}")
    out = io.BytesIO()
    disc.write_fp(out)
    disc.close()
    return out.getvalue()


def _user_data(seed: Seed) -> dict[str, Any]:
    user = {
        "name": seed.user,
        "gecos": "machine",
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "groups": ["docker"],  # docker without sudo, for one who may become root anyhow
        "lock_passwd": True,
        "ssh_authorized_keys": [seed.public_key] if seed.public_key else [],
    }
    config: dict[str, Any] = {
        "hostname": names.hostname(seed.name),
        "manage_etc_hosts": "localhost",
        "users": [user],
        "disable_root": True,
        "ssh_pwauth": False,
        "ssh_genkeytypes": ["ed25519"],
        "ssh": {"emit_keys_to_console": False},
        "growpart": {"mode": "auto", "devices": ["/"]},
    }
    private, public = seed.host_key
    if private:
        config["ssh_deletekeys"] = True
        config["ssh_keys"] = {"ed25519_private": private, "ed25519_public": public}
    files = (*(port_reporter_unit.FILES if seed.install_port_reporter else ()), *seed.files)
    units = (*((port_reporter_unit.UNIT,) if seed.install_port_reporter else ()), *seed.units)
    if files:
        config["write_files"] = [{"path": path, "permissions": mode, "content": text} for path, mode, text in files]
    commands = [["systemctl", "enable", "--now", unit] for unit in units] + [list(words) for words in seed.commands]
    if seed.early:
        config["bootcmd"] = [list(words) for words in seed.early]
    if commands:
        config["runcmd"] = commands
    return config


def _archive(config: str, more: str) -> str:
    """Ours and the user's, one after the other; cloud-init merges them, keys of ours win."""
    kind = "text/cloud-config" if more.startswith("#cloud-config") else "text/x-shellscript"
    merged = [{"type": kind, "content": more}, {"type": "text/cloud-config", "content": config}]
    return "#cloud-config-archive\n" + json.dumps(merged, indent=1) + "\n"


def _network(seed: Seed) -> dict[str, Any]:
    """Version 2: https://cloudinit.readthedocs.io/en/latest/reference/network-config-format-v2.html."""
    nat: dict[str, Any] = {
        "match": {"macaddress": seed.nat_mac},
        "set-name": "nat0",
        "addresses": [f"{inside.ADDRESS}/{inside.BITS}"],
        "routes": [{"to": "0.0.0.0/0", "via": inside.GATEWAY}],
        "nameservers": {"addresses": [inside.DNS]},
    }
    if not seed.nat_static:
        nat = {"match": {"macaddress": seed.nat_mac}, "set-name": "nat0", "dhcp4": True}
    lan = {
        "match": {"macaddress": seed.lan_mac},
        "set-name": "lan0",
        "addresses": [f"{seed.peer}/{seed.lan_bits}"],
    }
    return {"version": 2, "ethernets": {"nat0": nat, "lan0": lan} if seed.lan_mac else {"nat0": nat}}


def write(path: str, seed: Seed) -> None:
    """The seed of a machine, 0600: it holds the machine's private host key."""
    files.write(path, iso(documents(seed)))
