"""Driver hetzner: a server with its ssh keys, its firewall, and what else was asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Sequence
from typing import Any, ClassVar

from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import errors, firewall
from machine.drivers.cloud.driver import CloudDriver, Provider
from machine.drivers.cloud.user_data import HostKey, UserDataLimits, compose
from machine.drivers.hetzner import removal, requests
from machine.drivers.hetzner.client import FIREWALL, PLACEMENT_GROUP, SERVER, SSH_KEY, Api
from machine.drivers.hetzner.config import OWN_LABEL, Config
from machine.drivers.hetzner.errors import ERRORS
from machine.drivers.hetzner.options import OPTIONS
from machine.drivers.hetzner.preflight import fingerprint, preflight, price, server_type
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb

STARTING_SECONDS = 60.0  # it is called off between having been made and being switched on
STATES = {
    "initializing": State.STARTING,
    "starting": State.STARTING,
    "migrating": State.STARTING,
    "rebuilding": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "deleting": State.STOPPING,
    "off": State.STOPPED,
}


class HetznerDriver(CloudDriver[Config]):
    """A machine that is one server."""

    traits: ClassVar[Traits] = Traits(
        name="hetzner",
        options=OPTIONS,
        summary="a server of Hetzner Cloud",
        needs="--hetzner-api-token",
        can_power=True,
        firewall="the cloud firewall",
    )
    config_class = Config
    provider = Provider(
        "Hetzner",
        "server",
        ERRORS,
        requests.USER_DATA,
        key_flag="--hetzner-existing-key-path",
        key_alternative="name the project's copy with --hetzner-existing-key-id",
    )

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config)
        self.boot_timeout = float(config.running_timeout or self.traits.boot_timeout)
        self._additional_ids: list[int] = []  # of the keys of --hetzner-additional-key
        self._started_at: float | None = None  # when this process asked for it to be switched on
        self._asked: tuple[float, State] | None = None  # the last answer while it was on its way
        self._refused: tuple[float, errors.CloudError] | None = None  # when and why no server could be made

    def key_path(self) -> str | None:
        """The user's own key, "" for the agent's, None to have one made."""
        return self.config.ssh_key if self.config.ssh_key or self.config.project_key else None

    def current_account(self) -> str:
        """A project has no name in the API: the recorded one, by its token or by what it shows of the machine."""
        token, recorded = _account(self.config), self.config.account
        if recorded and recorded != token:
            kinds = (SERVER, SSH_KEY, FIREWALL)
            if any(self.api.labelled(kind, self.config.machine_label) for kind in kinds):
                return recorded
        return token

    def preflight(self) -> None:
        self.config.account = _account(self.config)
        preflight(self.api, self.config, self.ctx.log, self.ctx.cluster_ports)

    def user_data_rules(self) -> UserDataLimits:
        text = self.config.user_data_text

        def join(host_key: HostKey, own: str, more: str) -> str:
            return compose(host_key, text, own, more)

        return dataclasses.replace(requests.USER_DATA, join=join)

    # create

    def prepare(self) -> None:
        self.config.machine_label = self.ctx.machine_id
        self.save()
        if not self.config.key_id:
            key = self._ensure_key(self.own_name(), self.public_key())
            self.config.key_id = int(key.id)
            self.config.existing_key = not self._is_ours(key)
            self.save()
        self._additional_ids = [
            int(self._ensure_key(f"{self.own_name()}-additional-{number}", line).id)
            for number, line in enumerate(self.config.additional_keys)
        ]
        self._ensure_firewall()
        self._ensure_group()

    def _is_ours(self, thing: Any) -> bool:
        return bool((thing.labels or {}).get(OWN_LABEL) == self.config.machine_label)

    def _ensure_key(self, name: str, line: str) -> Any:
        """The project knows the key. One that was there before is not ours to remove."""

        def same_key() -> Any:
            return next(iter(self.api.list_all(SSH_KEY, fingerprint=fingerprint(line))), None)

        body = requests.ssh_key(self.config, name, line)
        return self.create_named(lambda: self.api.make(SSH_KEY, body), same_key)

    def _ensure_firewall(self) -> None:
        if self.config.firewalls or self.config.firewall_id:
            return
        body = requests.firewall(self.config, self.own_name(), self.ctx.cluster_ports)
        made = self.create_named(
            lambda: self.api.make(FIREWALL, body),
            lambda: next(iter(self.api.labelled(FIREWALL, self.config.machine_label)), None),
        )
        self.config.firewall_id = int(made.id)
        self.save()

    def _ensure_group(self) -> None:
        """The placement group, which machines may share: found or made, by one at a time."""
        config = self.config
        if not (config.placement_group or config.auto_spread) or config.placement_group_id:
            return
        with self.ctx.lock("hetzner-placement-group"):
            body = requests.placement_group(config)
            found = self._group() or self.create_named(lambda: self.api.make(PLACEMENT_GROUP, body), self._group)
            config.placement_group_id = int(found.id)
            self.save()

    def _group(self) -> Any:
        if self.config.auto_spread:
            return next(iter(self.api.list_all(PLACEMENT_GROUP, label_selector=requests.AUTO_SPREAD)), None)
        return self.api.find(PLACEMENT_GROUP, self.config.placement_group)

    def make_machine(self) -> None:
        """A second server of the same name is refused, so after a doubtful answer the label tells whose it is."""
        if self._refused is None:
            keys = [self.config.key_id, *self._additional_ids]
            body = requests.server(self.config, self.ctx.name, self.user_data(), keys)
            try:
                server = self.create_or_find(
                    lambda: self.api.make(SERVER, body), self._labelled, (errors.NameTaken, *errors.AMBIGUOUS_ERRORS)
                )
            except errors.CloudError as error:
                self._refused = self.ctx.clock.now(), error
            else:
                self._started_at = self.requested_at = self.ctx.clock.now()
                self.save_machine(server)
                return
        when, why = self._refused
        if self.config.wait_on_error and self.within(when, self.config.wait_on_error):
            raise InProgress(why.brief, details=why.details, resolution=why.resolution)
        self._refused = None
        raise why

    def save_machine(self, machine: Any) -> None:
        self.config.server_id = int(machine.id)
        self.config.user_data_text = ""  # it has been sent, and may hold secrets
        self.machine_exists = True
        self.save()

    def ensure_address(self) -> None:
        """The address in the network, where that is the one to reach it at: it has it a moment later."""
        if self.config.use_private_network and (server := self.find_machine()) and not server.private_net:
            raise self.still_making("it is in no network yet")

    # queries and power

    def find_machine(self) -> Any:
        server = self.api.get(SERVER, self.config.server_id) if self.config.server_id else None
        server = server or self._labelled()
        if server is not None:
            self.requested_at = None  # it has appeared: from now on unknown means gone
        return server

    def _labelled(self) -> Any:
        return next(iter(self.api.labelled(SERVER, self.config.machine_label)), None)

    def is_terminating(self, machine: Any) -> bool:
        return bool(machine.status == "deleting")

    def state(self) -> State:
        """One question, or the last answer while --hetzner-wait-on-polling has not passed since."""
        if self._asked is not None and self.within(self._asked[0], self.config.wait_on_polling):
            return self._asked[1]
        found = super().state()
        on_its_way = found in (State.STARTING, State.STOPPING)
        self._asked = (self.ctx.clock.now(), found) if on_its_way else None
        return found

    def state_of(self, machine: Any) -> State:
        found = STATES.get(str(machine.status), State.ERROR)
        if found is State.RUNNING:
            self._started_at = None  # from now on off means off
        starting = found is State.STOPPED and self.within(self._started_at, STARTING_SECONDS)
        return State.STARTING if starting else found

    def endpoint_of(self, machine: Any) -> Endpoint | None:
        net = machine.public_net
        private = str(machine.private_net[0].ip) if machine.private_net else ""
        if self.config.use_private_network:
            return self.endpoint_at(private, private)
        public = str(net.ipv4.ip) if net.ipv4 else str(ipaddress.ip_network(net.ipv6.ip)[1]) if net.ipv6 else ""
        return self.endpoint_at(public, private)

    def power_machine(self, machine: Any, verb: Verb) -> None:
        on = machine.status != "off"
        self._started_at = self._asked = None
        try:
            if verb in (Verb.START, Verb.RESTART) and not on:
                self.api.act(machine, "power_on")
                self._started_at = self.ctx.clock.now()
            elif verb is Verb.RESTART:
                self.api.act(machine, "reboot")
            elif verb in (Verb.STOP, Verb.KILL) and on:
                self.api.act(machine, "shutdown" if verb is Verb.STOP else "power_off")
        except errors.WrongState as error:  # something of the last run has to end
            if verb is not Verb.START:
                raise
            raise InProgress(error.brief, details=error.details, resolution=error.resolution) from None

    def explain_machine(self, machine: Any) -> str:
        numbers = [int(one.firewall.id) for one in machine.public_net.firewalls or []]
        guards = [wall for number in numbers if (wall := self.api.get(FIREWALL, number)) is not None]
        names = ", ".join(str(wall.name) for wall in guards)
        return (
            firewall.explain(requests.rules(guards), self.config.ssh_port, f"its firewalls ({names})") if guards else ""
        )

    def prices(self) -> Sequence[str]:
        return price(server_type(self.api, self.config), self.config.location.lower()).splitlines()

    # removal

    def remove_all(self) -> None:
        """The server and all that was made with it. Raises InProgress while the server is still going."""
        config = self.config
        try:
            removal.remove(self.api, config, self.save)
            if config.placement_group_id or config.placement_group or config.auto_spread:
                with self.ctx.lock("hetzner-placement-group"):
                    group = self._group() if config.create_requested and not config.placement_group_id else None
                    removal.remove_group(self.api, config, group, self.ctx.siblings())
        except (errors.InUse, errors.WrongState) as error:
            raise self.still_ending(error.details or error.brief) from None


def _account(config: Config) -> str:
    """A token's project under a name of ours: it tells tokens apart, and nothing about them."""
    return f"project-{hashlib.sha256(config.access_token.strip().encode()).hexdigest()[:12]}"
