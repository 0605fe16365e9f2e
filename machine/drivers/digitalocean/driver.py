"""Driver digitalocean: a droplet with its ssh key, its firewall, and what else was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import errors, firewall, lookup
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import Json, Provider
from machine.drivers.digitalocean import change, removal, requests
from machine.drivers.digitalocean.client import ACCOUNT, DROPLET, FIREWALL, RESERVED_IP, SSH_KEY, VOLUME, Api
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.errors import ERRORS
from machine.drivers.digitalocean.options import NEW, OPTIONS
from machine.drivers.digitalocean.preflight import account_id, preflight
from machine.model import Endpoint, State, Verb

POWER_ACTIONS = {Verb.START: "power_on", Verb.RESTART: "reboot", Verb.STOP: "shutdown", Verb.KILL: "power_off"}
STATES = {"new": State.STARTING, "active": State.RUNNING, "off": State.STOPPED}


class DigitalOceanDriver(ChangesMachine[Config]):
    """A machine that is one droplet."""

    traits: ClassVar[Traits] = Traits(
        name="digitalocean",
        options=OPTIONS,
        summary="a droplet",
        needs="--digitalocean-access-token",
        can_power=True,
        firewall="the cloud firewall",
    )
    config_class = Config
    provider = Provider(
        "DigitalOcean",
        "droplet",
        ERRORS,
        requests.USER_DATA,
        key_flag="--digitalocean-ssh-key-path",
        key_alternative="name the account's copy with --digitalocean-ssh-key-fingerprint",
        ignored={
            "private_networking": "--digitalocean-private-networking is ignored: every droplet has a private address"
        },
    )

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config)

    def current_account(self) -> str:
        try:
            with self.reading("the account"):
                return account_id(self.api.get(ACCOUNT))
        except errors.NotAllowed:  # a token for certain things only
            return ""

    def preflight(self) -> None:
        preflight(self.api, self.config, self.ctx.log, self.ctx.cluster_ports)

    # create

    def prepare(self) -> None:
        self.config.tag = requests.tag(self.ctx.machine_id)
        self.save()
        self._ensure_key()
        self.api.make_tag(self.config.tag)
        self._ensure_firewall()
        self._ensure_volume()

    def _own_name(self) -> str:
        return requests.own_name(self.ctx.name, self.ctx.machine_id)

    def _ensure_key(self) -> None:
        """The account knows the key that the machine lets in. One that was there before is not ours to remove."""
        if self.config.ssh_key_id:
            return
        public_key = self.public_key()
        name = self.config.key_name = self._own_name()
        self.save()

        def same_key() -> Json | None:
            wanted, keys = public_key.split()[:2], self.api.list_all(SSH_KEY)
            return next((key for key in keys if str(key.get("public_key")).split()[:2] == wanted), None)

        key = self.create_named(lambda: self.api.make(SSH_KEY, {"name": name, "public_key": public_key}), same_key)
        if key.get("name", name) not in (name, None):  # the list names each key: the account had this one before
            self.config.key_name = ""
        self.config.ssh_key_id = int(key["id"])
        self.save()

    def _ensure_firewall(self) -> None:
        """Before the droplet is there, so that no port is ever open that shall not be."""
        for joined, tag in (self.config.attached_firewalls or {}).items():
            if not tag:
                self.api.join_firewall(joined, self.config.tag)
        if self.config.firewalls or self.config.firewall_id:
            return
        name = self.config.firewall_name = self._own_name()
        self.save()
        made = self.create_named(
            lambda: self.api.make(FIREWALL, requests.firewall(self.config, self.ctx.cluster_ports)),
            lambda: next((one for one in self.api.list_all(FIREWALL) if one.get("name") == name), None),
        )
        self.config.firewall_id = lookup.id_of(made)
        self.save()

    def _ensure_volume(self) -> None:
        if not self.config.volume_size or self.config.own_volume_id:
            return
        name = self.config.own_volume_name = self._own_name()
        self.save()
        made = self.create_named(
            lambda: self.api.make(VOLUME, requests.volume(self.config, self.ctx.name)),
            lambda: next(iter(self.api.list_all(VOLUME, name=name, region=self.config.region)), None),
        )
        self.config.own_volume_id = lookup.id_of(made)
        self.save()

    def make_machine(self) -> None:
        """DigitalOcean would make a second droplet for a repeated request, so after a doubtful answer its list is
        looked at first, and asked again only when the droplet is not in there."""
        body = requests.droplet(self.config, self.ctx.name, self.user_data())
        self.config.droplet_name = body["name"]
        self.save()
        droplet = self.create_or_find(lambda: self.api.make(DROPLET, body, repeat=False), self._tagged)
        self.requested_at = self.ctx.clock.now()
        self.save_machine(droplet)

    def save_machine(self, machine: Json) -> None:
        self.config.droplet_id = int(machine["id"])
        self.machine_exists = True
        self.save()

    def ensure_address(self) -> None:
        """The reserved address, where one is wanted. It can only be asked for when the droplet runs."""
        if not self.config.reserved_ip or self.config.use_private_ip or self.config.reserved_address:
            return
        state = self.state()
        if state is State.RUNNING and (droplet := self.find_machine()) is not None and self._reserve(droplet):
            return
        if state in (State.RUNNING, State.STARTING):
            raise self.still_making("no reserved address leads to it yet")

    def _reserve(self, droplet: Json) -> bool:
        """Have the reserved address lead to a running droplet; whether it does.

        A new one is made together with its way to the droplet: it carries no tag, and would not be found again
        otherwise.
        """
        option, droplet_id = self.config.reserved_ip, int(droplet["id"])
        leading = removal.addresses_of(self.api, {droplet_id})
        try:
            if option == NEW and not leading:
                leading = [str(self.api.make(RESERVED_IP, {"droplet_id": droplet_id})["ip"])]
            elif option not in (NEW, *leading):
                self.api.assign(option, droplet_id)
        except errors.WrongState:  # the droplet is still being made: at the next question
            return False
        except errors.CloudError:
            if not (leading := removal.addresses_of(self.api, {droplet_id})):  # else done, and the answer was lost
                raise
        address = leading[0] if option == NEW else option
        if address not in leading:
            return False
        self.config.reserved_address = address
        self.save()
        return True

    # queries and power

    def find_machine(self) -> Json | None:
        droplet = self.api.find(DROPLET, self.config.droplet_id) if self.config.droplet_id else None
        if droplet is None and self.config.tag:
            droplet = self._tagged()
        return self.appeared(None if droplet is None or droplet.get("status") == "archive" else droplet)

    def _tagged(self) -> Json | None:
        return next(iter(self.api.list_all(DROPLET, tag_name=self.config.tag)), None)

    def state_of(self, machine: Json) -> State:
        return self.unless_starting(STATES.get(str(machine.get("status")), State.ERROR))  # off until power_on is done

    def endpoint_of(self, machine: Json) -> Endpoint | None:
        private = _address(machine, "v4", "private")
        if self.config.use_private_ip:
            return self.endpoint_at(private, private)
        public = _address(machine, "v4", "public") or _address(machine, "v6", "public")
        return self.endpoint_at(self.config.reserved_address if self.config.reserved_ip else public, private)

    def power_machine(self, machine: Json, verb: Verb) -> None:
        on, droplet_id = machine.get("status") != "off", int(machine["id"])
        self.switch(verb, lambda action: self.api.act(droplet_id, action), POWER_ACTIONS, on=on)

    def explain_machine(self, machine: Json) -> str:
        guards = self.api.firewalls_of(int(machine["id"])) if machine.get("status") == "active" else []
        names = ", ".join(str(wall.get("name")) for wall in guards)
        return (
            firewall.explain(requests.rules(guards), self.config.ssh_port, f"its firewalls ({names})") if guards else ""
        )

    def disk_gigabytes(self) -> int:
        """It stays as it is."""
        return 0

    def check_change(self, machine: Json, wanted: Config, names: Sequence[str]) -> None:  # noqa: ARG002 (there is one)
        change.check_size(self.api, machine, wanted)

    def change_machine(self, machine: Json, name: str) -> bool:  # noqa: ARG002
        return change.change_size(self.api, machine, self.config.size)

    def remove_all(self) -> None:
        """The droplet and all that was made with it. Raises InProgress while its volume is still attached."""
        try:
            removal.remove(self.api, self.config)
        except errors.InUse as error:
            raise self.still_ending(error.details, "its volume too") from None


def _address(droplet: Json, family: str, kind: str) -> str:
    networks = (droplet.get("networks") or {}).get(family) or []
    return next((str(network["ip_address"]) for network in networks if network.get("type") == kind), "")
