"""One machine as config.json describes it: the JSON object, and cheap answers read from it.

The object keeps docker-machine's key names and every key that is not known here, so that both programs can use one
store. The keys of "Machine" are ours: MACHINE and MACHINE_OPTIONAL of machine/store/key_names.py.
"""

from __future__ import annotations

import os
import time

from machine import __version__, hostport, paths
from machine.drivers.record_keys import RecordKeys, record_keys_of
from machine.store import key_names
from machine.store.document import decode, encode
from machine.store.migrate import upgrade
from machine.store.normalize import PHASES, normalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machine.model import Endpoint, EngineOptions, SwarmOptions


class Record:
    """A thin wrapper over the JSON object `raw`; what is changed in it is on disk after Store.save."""

    def __init__(self, root: str, name: str, raw: dict[str, Any]) -> None:
        """Use `new` or `parse`; this takes an object that one of them has put in order."""
        self.root = root
        self.name = name
        self.raw = raw
        self.old_bytes: bytes | None = None  # bytes of an older ConfigVersion, kept as config.json.bak by the next save

    @classmethod
    def parse(cls, data: bytes, root: str, name: str) -> Record:
        """The record in `data`, migrated, in order, its paths those of the store `root`.

        Raises RecordBroken if it is none.
        """
        raw = decode(data, name)
        version = upgrade(raw, name)
        record = cls(root, name, normalize(raw, root, name))
        record.old_bytes = data if version < key_names.VERSION else None
        return record

    @classmethod
    def new(  # noqa: PLR0917 (the first six are what every caller gives)
        cls,
        store_root: str,
        name: str,
        driver_name: str,
        driver_object: Mapping[str, Any],
        engine: EngineOptions | None = None,
        swarm: SwarmOptions | None = None,
        sans: Sequence[str] = (),
        *,
        machine_id: str = "",
        tls: Mapping[str, str] | None = None,
    ) -> Record:
        """The record of a machine about to be made, in the phase "recorded".

        `driver_object` is the driver's dump; `sans` extra names for the certificate; `machine_id` is made up if "";
        `tls` the --tls-* paths (ca_cert, ca_key, client_cert, client_key; "" or missing: the store's own).
        """
        from machine.store import options_codec

        tls_paths = tls or {}
        machine = {
            "Id": machine_id or os.urandom(8).hex(),
            "Phase": PHASES[0],
            "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "Version": __version__,
        }
        auth = {
            "CaCertPath": tls_paths.get("ca_cert", ""),
            "CaPrivateKeyPath": tls_paths.get("ca_key", ""),
            "ClientCertPath": tls_paths.get("client_cert", ""),
            "ClientKeyPath": tls_paths.get("client_key", ""),
            "ServerCertSANs": list(sans),
        }
        options = {
            "EngineOptions": options_codec.engine_object(engine),
            "SwarmOptions": options_codec.swarm_object(swarm),
            "AuthOptions": auth,
        }
        own = {"MachineName": name, **driver_object}
        if swarm is not None:
            own.update(SwarmMaster=swarm.master, SwarmHost=swarm.host, SwarmDiscovery=swarm.discovery)
        raw = {
            "ConfigVersion": key_names.VERSION,
            "Driver": own,
            "DriverName": driver_name,
            "HostOptions": options,
            "Machine": machine,
        }
        return cls(store_root, name, normalize(raw, store_root, name))

    def redacted(self) -> dict[str, Any]:
        """`raw` as it may be shown or given away: clear-text secrets that docker-machine left are ""."""
        from machine import secrets

        return {**self.raw, "Driver": secrets.redact(self.driver_keys.secrets, self.driver_object)}

    def encode(self) -> bytes:
        """The bytes of config.json. Raises StoreError if something in `raw` is not JSON."""
        return encode(self.raw, self.name)

    @property
    def driver_name(self) -> str:
        found: str = self.raw["DriverName"]
        return found

    @property
    def driver_object(self) -> dict[str, Any]:
        """The driver's own object."""
        found: dict[str, Any] = self.raw["Driver"]
        return found

    @property
    def auth(self) -> dict[str, Any]:
        """HostOptions.AuthOptions."""
        found: dict[str, Any] = self.raw["HostOptions"]["AuthOptions"]
        return found

    @property
    def sans(self) -> list[str]:
        """Extra names asked for in the server's certificate (--tls-san)."""
        return list(self.auth["ServerCertSANs"])

    @property
    def machine_id(self) -> str:
        """What every object made for this machine carries; "" for a machine that docker-machine made."""
        return str(self.raw.get("Machine", {}).get("Id", ""))

    @property
    def phase(self) -> str:
        """How far `create` has come, one of PHASES; docker-machine's records count as "ready"."""
        return str(self.raw.get("Machine", {}).get("Phase", "") or PHASES[-1])

    @phase.setter
    def phase(self, phase: str) -> None:
        if phase not in PHASES:
            raise ValueError(f"{phase!r} is not one of {PHASES}")
        self.raw.setdefault("Machine", dict.fromkeys(key_names.MACHINE, ""))["Phase"] = phase

    @property
    def created(self) -> str:
        """When `create` first wrote the record, as 2026-11-29T17:02:11Z; "" for a machine that docker-machine made."""
        return str(self.raw.get("Machine", {}).get("Created", ""))

    @property
    def keeps_hostname(self) -> bool:
        """Whether the host keeps its own name (--no-hostname) instead of getting the machine's."""
        return self.raw.get("Machine", {}).get("KeepHostname") is True

    def keep_hostname(self) -> None:
        """Write down that the host keeps its own name."""
        self.raw.setdefault("Machine", dict.fromkeys(key_names.MACHINE, ""))["KeepHostname"] = True

    def _list(self, key: str) -> list[str]:
        return list(self.raw.get("Machine", {}).get(key, ()))

    def _set_list(self, key: str, values: Sequence[str]) -> None:
        """Record a list of texts, each once; an empty one leaves no key."""
        machine = self.raw.setdefault("Machine", dict.fromkeys(key_names.MACHINE, ""))
        machine[key] = list(dict.fromkeys(values))
        if not values:
            del machine[key]

    @property
    def pending_changes(self) -> list[str]:
        """Names of the driver's options whose recorded values the machine may not have yet (`machine set`)."""
        return self._list("PendingChanges")

    @pending_changes.setter
    def pending_changes(self, names: Sequence[str]) -> None:
        self._set_list("PendingChanges", names)

    @property
    def clone_snapshots(self) -> list[str]:
        """Tags of the machine's snapshots that were made for clones of it, and go when no clone needs them."""
        return self._list("CloneSnapshots")

    @clone_snapshots.setter
    def clone_snapshots(self, tags: Sequence[str]) -> None:
        self._set_list("CloneSnapshots", tags)

    @property
    def certificates_end(self) -> str:
        """When the first of the machine's certificates ends, as 2031-01-31T23:59:59Z; "" if not known."""
        return str(self.raw.get("Machine", {}).get("CertificatesEnd", ""))

    @certificates_end.setter
    def certificates_end(self, when: str) -> None:
        self.raw.setdefault("Machine", dict.fromkeys(key_names.MACHINE, ""))["CertificatesEnd"] = when

    def reached(self, phase: str) -> bool:
        """Whether `create` has come at least as far as `phase`."""
        return PHASES.index(self.phase) >= PHASES.index(phase)

    def imported(self) -> bool:
        """Whether the record came from a file of `machine export`: the machine was made from another store."""
        own = self.raw.get("Machine")
        return isinstance(own, dict) and bool(own.get("Imported"))

    @property
    def driver_keys(self) -> RecordKeys:
        """What is known of the keys of its driver's object."""
        return record_keys_of(self.driver_name)

    def is_only_url(self) -> bool:
        """Whether the machine is an engine's URL and nothing else: no host to log in to."""
        return bool(self.driver_keys.url)

    def address(self) -> str:
        """The address from here as last seen: an IP literal without brackets or a host name, "" if unknown."""
        if self.is_only_url():
            return hostport.of_url(self._text(self.driver_keys.url) or self._text("IPAddress"))[0]
        return (self._text("IPAddress") or self._text("IPv6Address")).strip("[]")

    def engine_port(self) -> int:
        """The engine's port as seen from here."""
        if self.is_only_url():
            return (
                hostport.of_url(self._text(self.driver_keys.url) or self._text("IPAddress"))[1] or hostport.ENGINE_PORT
            )
        return self.driver_object.get("EnginePort") or self.driver_object.get("DockerPort") or hostport.ENGINE_PORT

    def manager_port(self) -> int:
        """The port of a swarm's manager on this machine, as seen from here."""
        port = hostport.of_url(str(self.raw["HostOptions"]["SwarmOptions"]["Host"] or ""))[1] or hostport.MANAGER_PORT
        forwarded = self.driver_object.get("SwarmPort")
        return forwarded if port == hostport.MANAGER_PORT and isinstance(forwarded, int) and forwarded else port

    def url(self) -> str:
        """DOCKER_HOST: tcp://host:port, IPv6 in brackets, "" while the address is unknown; or the URL on record."""
        if self.is_only_url() and self._text(self.driver_keys.url):
            return self._text(self.driver_keys.url)
        address = self.address()
        if not address:
            return ""
        return f"tcp://{hostport.join(address, self.engine_port())}"

    def ssh_key_path(self) -> str:
        """The private key to log in with: the recorded one, else the machine's own that is there, else ""."""
        if self._text("SSHKeyPath"):
            return self._text("SSHKeyPath")
        own = (paths.machine(self.root, self.name, file) for file in (paths.SSH_KEY, paths.OLD_SSH_KEY))
        return next((path for path in own if os.path.exists(path)), "")

    def shares(self) -> dict[str, Any]:
        """The directories of this computer that the machine shall have, by their paths; see machine.share.spec."""
        found = self.raw.get("Machine", {}).get("Shares")
        return dict(found) if isinstance(found, dict) else {}

    def set_shares(self, shares: Mapping[str, Any]) -> None:
        """Write down which directories of this computer the machine shall have."""
        own = self.raw.setdefault("Machine", dict.fromkeys(key_names.MACHINE, ""))
        own.pop("Shares", None)
        if shares:
            own["Shares"] = dict(shares)

    def cert_dir(self) -> str:
        """DOCKER_CERT_PATH: the machine's directory in the store that it was loaded from."""
        return paths.machine(self.root, self.name)

    def ssh_is_forwarded(self) -> bool:
        """Whether SSHPort is a port of 127.0.0.1 that leads to the machine, whose own address is another."""
        marker_key = self.driver_keys.key_absent_when_ssh_forwarded
        return bool(marker_key) and marker_key not in self.driver_object

    def endpoint(self) -> Endpoint | None:
        """How the machine is reached, as last seen; None while the address is unknown."""
        from machine.model import Endpoint

        address = self.address()
        if not address:
            return None
        own = self.driver_object
        return Endpoint(
            address=address,
            ssh_user=own["SSHUser"] or "root",
            ssh_port=22 if self.ssh_is_forwarded() else own["SSHPort"] or 22,
            engine_port=self.engine_port(),
            peer_address=self._text("PeerAddress"),
            listen_port=own.get("ListenPort") or self.engine_port(),
        )

    def engine_options(self) -> EngineOptions:
        """What the user asked of the engine."""
        from machine.store import options_codec

        return options_codec.engine(self.raw["HostOptions"]["EngineOptions"])

    def swarm_options(self) -> SwarmOptions:
        """What the user asked of classic swarm."""
        from machine.store import options_codec

        return options_codec.swarm(self.raw["HostOptions"]["SwarmOptions"])

    def _text(self, key: str) -> str:
        return str(self.driver_object.get(key) or "")
