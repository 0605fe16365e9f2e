"""Driver hetzner: a server with its ssh keys, its firewall, and what else was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import account, errors, firewall, lookup, ssh_key
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import Provider
from machine.drivers.hetzner import change, requests
from machine.drivers.hetzner.client import Api, Kind
from machine.drivers.hetzner.config import OWN_LABEL, Config
from machine.drivers.hetzner.errors import ERRORS
from machine.drivers.hetzner.options import OPTIONS
from machine.drivers.hetzner.preflight import preflight, prices, server_type
from machine.model import Endpoint, State, Verb

GROUP_LOCK = "hetzner-placement-group"
STATES = dict.fromkeys(("initializing", "starting", "migrating", "rebuilding"), State.STARTING)
STATES |= {"stopping": State.STOPPING, "deleting": State.STOPPING, "running": State.RUNNING, "off": State.STOPPED}
POWER_ACTIONS = {Verb.START: "poweron", Verb.RESTART: "reboot", Verb.STOP: "shutdown", Verb.KILL: "poweroff"}


class HetznerDriver(ChangesMachine[Config]):
    """A machine that is one server."""

    traits: ClassVar[Traits] = Traits(
        name="hetzner", options=OPTIONS, summary="a server of Hetzner", needs="--hetzner-api-token", can_power=True
    )
    config_class = Config
    provider = Provider(
        "Hetzner", "server", ERRORS, requests.USER_DATA, "--hetzner-existing-key-path", "give --hetzner-existing-key-id"
    )
    conflicts_pass = True

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config)
        self.boot_timeout = float(config.running_timeout or self.traits.boot_timeout)
        self._additional_ids: list[int] = []  # of the keys of --hetzner-additional-key

    def current_account(self) -> str:
        """A project has no name in the API: its token stands for it, or what it shows of the machine."""
        asked, kinds = account.of_token(self.config.access_token, "project"), (Kind.SERVER, Kind.SSH_KEY, Kind.FIREWALL)
        return account.believed(asked, self.config.account, lambda: any(map(self._labelled, kinds)))

    def preflight(self) -> None:
        self.config.account = account.of_token(self.config.access_token, "project")
        preflight(self.api, self.config, self.ctx.log, self.ctx.cluster_ports)

    def prices(self) -> Sequence[str]:
        with self.reading("prices"):
            return prices(server_type(self.api, self.config), self.config.location.lower())

    # create

    def prepare(self) -> None:
        config, name = self.config, self.own_name(longest=100)
        config.machine_label = self.ctx.machine_id
        self.save()
        if not config.key_id:
            key = self._ensure_key(name, self.public_key())
            config.key_id, config.existing_key = int(key.id), (key.labels or {}).get(OWN_LABEL) != config.machine_label
            self.save()
        keys = [self._ensure_key(f"{name}-{number}", line) for number, line in enumerate(config.additional_keys)]
        self._additional_ids = [int(key.id) for key in keys]
        if not config.firewalls and not config.firewall_id:
            body = requests.own(config, name, {}, rules=requests.firewall_rules(config, self.ctx.cluster_ports))
            wall = self.create_named(lambda: self.api.make(Kind.FIREWALL, body), lambda: self._labelled(Kind.FIREWALL))
            config.firewall_id = int(wall.id)
            self.save()
        if (config.placement_group or config.auto_spread) and not config.placement_group_id:
            self._ensure_group()

    def _ensure_key(self, name: str, line: str) -> Any:
        """The project knows the key. One that was there before is not ours to remove."""
        body = requests.own(self.config, name, self.config.key_labels, public_key=line)
        return self.create_named(
            lambda: self.api.make(Kind.SSH_KEY, body),
            lambda: self._key(ssh_key.fingerprint(line)),
        )

    def _key(self, fingerprint: str) -> Any:
        found = self.api.list_all(Kind.SSH_KEY, fingerprint=fingerprint)
        return next((key for key in found if key.fingerprint == fingerprint), None)

    def _ensure_group(self) -> None:
        """The placement group, which machines may share: found or made, by one at a time."""
        with self.ctx.lock(GROUP_LOCK):
            body = requests.placement_group(self.config)
            made = self._group() or self.create_named(lambda: self.api.make(Kind.PLACEMENT_GROUP, body), self._group)
            self.config.placement_group_id = int(made.id)
            self.save()

    def _group(self) -> Any:
        if self.config.auto_spread:
            found = self.api.list_all(Kind.PLACEMENT_GROUP, label_selector=requests.AUTO_SPREAD)
            return next((group for group in found if requests.AUTO_SPREAD in (group.labels or {})), None)
        wanted = self.config.placement_group
        return lookup.by_name_and_id(self.api.list_all(Kind.PLACEMENT_GROUP)).get(wanted) if wanted else None

    def _labelled(self, kind: Kind = Kind.SERVER) -> Any:
        return next(iter(self.api.labelled(kind, self.config.machine_label)), None)

    def make_machine(self) -> None:
        """A second server of the same name is refused, so after a doubtful answer the label tells whose it is."""
        keys = [self.config.key_id, *self._additional_ids]
        body = requests.server(self.config, self.ctx.name, self.user_data(), keys)
        made = self.create_named(lambda: self.api.make(Kind.SERVER, body), self._labelled)
        self.started_at = self.requested_at = self.ctx.clock.now()  # it is off for a moment before it is switched on
        self.save_machine(made)

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
        recorded = self.api.get(Kind.SERVER, self.config.server_id) if self.config.server_id else None
        return self.appeared(recorded or self._labelled())

    def is_terminating(self, machine: Any) -> bool:
        return bool(machine.status == "deleting")

    def state_of(self, machine: Any) -> State:
        return self.unless_starting(STATES.get(str(machine.status), State.ERROR))

    def endpoint_of(self, machine: Any) -> Endpoint | None:
        net, private = machine.public_net, str(ip_address(machine.private_net[0].ip)) if machine.private_net else ""
        ipv6 = str(ip_network(net.ipv6.ip)[1]) if net.ipv6 else ""
        public = str(ip_address(net.ipv4.ip)) if net.ipv4 else ipv6
        return self.endpoint_at(private if self.config.use_private_network else public, private)

    def power_machine(self, machine: Any, verb: Verb) -> None:
        self.switch(verb, lambda action: self.api.act(machine.id, action), POWER_ACTIONS, on=machine.status != "off")

    def explain_machine(self, machine: Any) -> str:
        # not by hcloud's attributes, which would ask Hetzner where an id is missing
        numbers = [int(one.firewall.data_model.id) for one in machine.public_net.firewalls or []]
        walls = [wall for number in numbers if (wall := self.api.get(Kind.FIREWALL, number))]
        names = f"its firewalls ({', '.join(str(wall.name) for wall in walls)})"
        return firewall.explain(requests.rules(walls), self.config.ssh_port, names) if walls else ""

    def disk_gigabytes(self) -> int:
        """Hetzner chooses it with the type."""
        return 0

    def check_change(self, machine: Any, wanted: Config, names: Sequence[str]) -> None:  # noqa: ARG002 (there is one)
        change.check_type(self.api, machine, wanted)

    def change_machine(self, machine: Any, name: str) -> bool:  # noqa: ARG002
        return change.change_type(self.api, machine, self.config.server_type)

    def remove_all(self) -> None:
        """The server and all that was made with it. Raises InProgress while the server is still going."""
        config, server = self.config, self.find_machine()
        config.server_id = int(server.id) if server else config.server_id  # a create may never have heard of it
        if not config.placement_group_id:  # nor of this; and the plugin does not record it
            group = self._group() if config.create_requested else getattr(server, "placement_group", None)
            config.placement_group_id = int(group.id) if group else 0
        self.save()
        self._remove_own()
        self._remove_group()

    def _remove_own(self) -> None:
        """By label, and by record: what the plugin made has no label. WrongState until a server is gone.

        A key that a sibling's server is still to be made with, as when both have the same one of the user's, becomes
        the sibling's: its removal finds it by label.
        """
        config = self.config
        waiting = {one.get("KeyID"): one.get("MachineLabel") for one in self.ctx.siblings() if not one.get("ServerID")}
        heirs = {Kind.SSH_KEY: waiting}
        keys = [*map(int, config.additional_key_ids), 0 if config.existing_key else config.key_id]
        recorded = {Kind.SERVER: [config.server_id], Kind.FIREWALL: [config.firewall_id], Kind.SSH_KEY: keys}
        for kind, numbers in recorded.items():
            labelled = {int(one.id) for one in self.api.labelled(kind, config.machine_label)}
            for number in (labelled | set(numbers)) - {0}:
                if number not in heirs.get(kind, {}):
                    self.api.delete(kind, number)
                elif heir := heirs[kind][number]:
                    self.api.label(kind, number, {OWN_LABEL: str(heir)})

    def _remove_group(self) -> None:
        """The placement group, if a create made it and no other machine needs it. InUse while the server is in it."""
        if not (number := self.config.placement_group_id):
            return
        with self.ctx.lock(GROUP_LOCK):
            group = self.api.get(Kind.PLACEMENT_GROUP, number)
            needed = any(other.get("PlacementGroupID") == number for other in self.ctx.siblings())
            if group is None or needed or (group.labels or {}).get(requests.AUTO_CREATED) != "true":
                return
            if group.servers == [self.config.server_id]:
                raise errors.InUse("the server is still in its placement group")
            if not group.servers:
                self.api.delete(Kind.PLACEMENT_GROUP, number)
