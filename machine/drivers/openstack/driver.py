"""Driver openstack: a server with its key pair, its root volume, its floating address, and the group machines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import errors, groups
from machine.drivers.cloud import lookup as cloud_lookup
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import Json, Provider
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.openstack import addresses, change, conoha, firewall, lookup, removal, requests
from machine.drivers.openstack.client import FLOATING_IP, KEY_PAIR, PORT, SECURITY_GROUP, SERVER, VOLUME, Api
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS, failure
from machine.drivers.openstack.options import OPTIONS
from machine.drivers.openstack.preflight import preflight
from machine.drivers.openstack.states import START_ACTIONS, TASKS, is_resized_while_off, state_of
from machine.model import Endpoint, State, Verb

VOLUME_READY, VOLUME_FAILED = ("available",), ("error", "error_restoring")


class OpenStackDriver(ChangesMachine[Config]):
    """A machine that is one server."""

    traits: ClassVar[Traits] = Traits(
        name="openstack",
        options=OPTIONS,
        summary="a server of an OpenStack cloud, or of ConoHa",
        needs="--openstack-cloud, or $OS_AUTH_URL with a login; --openstack-flavor-name and -image-name",
        can_power=True,
        firewall="the security groups",
    )
    config_class = Config
    provider = Provider(
        "the cloud",
        "server",
        ERRORS,
        requests.USER_DATA,
        key_flag="--openstack-private-key-file",
        key_alternative="name its key pair in the cloud with --openstack-keypair-name",
        ignored={"nova_network": "--openstack-nova-network is ignored: OpenStack has only Neutron today"},
    )

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config)
        self.boot_timeout = float(config.active_timeout)
        self._servers = removal.Servers(self.api, config, ctx.machine_id)
        self._resize = change.Resize(self.api, config)
        self._requested_here = False  # this process asked for the server
        self._has_volume = False  # this process knows its root volume
        # Ids of servers whose creation failed; they are removed before another is made.
        self._terminating: list[str] = []

    def current_account(self) -> str:
        return self.api.log_in()

    # check

    def check(self) -> None:
        self.config.client_config_file = self.config.client_config_file or self.config.clouds_file()
        super().check()
        if unused := self.config.unused_options():
            which = f"{', '.join(unused)} (or their variables)"
            self.ctx.log(f"not used, as the cloud {self.config.cloud} has a login: {which}")

    def preflight(self) -> None:
        preflight(self.api, self.config, self.ctx)
        self.user_data()  # by the rules of the profile, which may be known only now

    def user_data_rules(self) -> UserDataLimits:
        return conoha.USER_DATA if self.config.is_conoha else self.provider.user_data

    # create

    def adopt_or_discard_earlier(self) -> bool:
        """Take over the server that an earlier try made, and return True; else delete what is left of such tries."""
        found = self._servers.remaining()
        there = [server for server in found if not removal.is_absent(server)]
        alive = [server for server in there if server.get("status") != "ERROR" or server.get("launched_at")]
        if not alive:
            self._terminating = [str(server["id"]) for server in found]
            for server in found:
                self._servers.delete(server)
            removal.delete_addresses(self.api, self.config, self.ctx.machine_id)  # else they lead to the old one
            self.config.floating_ip = self.config.floating_ip_id = ""
            return False
        self.save_machine(alive[0])
        if str(alive[0].get("status")) in START_ACTIONS:
            self.power(Verb.START)
        return True

    def prepare(self) -> None:
        self.config.create_requested = True
        self.save()
        self._ensure_key()
        own = self.config.own_group
        with self.ctx.lock(f"openstack-{self.config.account}"):
            present = self.api.list_all(SECURITY_GROUP)
            for group in groups.ensure(
                self,
                self.config.security_groups,
                lambda name: lookup.group(present, name, self.config),
                lambda name: self._make_group() if name == own else None,
            ):
                if group.get("name") == own:
                    self._open_ports(group)

    def _ensure_key(self) -> None:
        if self.config.existing_key:
            return
        public_key = self.public_key()
        name = self.config.key_pair = requests.own_name(self.ctx.name, self.ctx.machine_id)
        self.save()
        self.create_named(
            lambda: self.api.make(KEY_PAIR, name=name, public_key=public_key), lambda: self.api.find(KEY_PAIR, name)
        )

    def _make_group(self) -> Json:
        """Make or find the shared security group; of two that two computers made at once, the first by id is used."""

        def find_group() -> Json | None:
            return lookup.group(self.api.list_all(SECURITY_GROUP), self.config.own_group, self.config)

        made = self.create_or_find(
            lambda: self.api.make(SECURITY_GROUP, name=self.config.own_group, description=requests.GROUP_MARK),
            find_group,
        )
        kept = find_group() or made
        if kept["id"] != made["id"]:
            self.api.delete(SECURITY_GROUP, str(made["id"]))
        return kept

    def _open_ports(self, group: Json) -> None:
        group_id = str(group["id"])
        groups.open_ports(
            self,
            lambda rules: self.api.make_rules([firewall.request(rule, group_id) for rule in rules]),
            firewall.rules([group]),
            f"{firewall.GROUP_PREFIX}{group_id}",
            families=(4, 6),
        )

    def _ensure_volume(self) -> None:
        config, machine_id = self.config, self.ctx.machine_id
        if not config.boot_from_volume or config.volume_id or self._has_volume:
            return
        config.own_volume_name = config.volume_name or requests.own_name(self.ctx.name, machine_id)
        self.save()

        def find_volume() -> Json | None:
            found = removal.volumes(self.api, config, machine_id)
            return next((one for one in found if one.get("status") not in ("deleting", *VOLUME_FAILED)), None)

        made = find_volume() or self.create_or_find(
            lambda: self.api.make(VOLUME, **requests.volume(config, self.ctx.name, machine_id)), find_volume
        )
        config.own_volume_id = cloud_lookup.id_of(made)
        self._has_volume = True
        self.save()

    def make_machine(self) -> None:
        """Ask for the server as soon as one whose creation failed is gone, and its root volume is ready."""
        if not all(map(self._servers.is_deleted, self._terminating)):
            raise self.still_making("the server of an earlier try is still being ended")
        self._terminating = []
        self._ensure_volume()
        if self.config.own_volume_id:
            volume = self.api.find(VOLUME, self.config.own_volume_id)
            status = str((volume or {}).get("status"))
            if volume is None or status in VOLUME_FAILED or status == "in-use":
                raise ERRORS.error(errors.BadVolume, f"the root volume of {self.ctx.name} came to nothing", status)
            if status not in VOLUME_READY:
                raise self.still_making(f"its root volume is {status}")
        body = requests.server(self.config, self.ctx.name, self.ctx.machine_id, self.user_data())

        def find_server() -> Json | None:
            return next((one for one in self._servers.remaining() if not removal.is_absent(one)), None)

        self.save_machine(self.create_or_find(lambda: self.api.make(SERVER, **body), find_server))
        self._requested_here = True

    def save_machine(self, machine: Json) -> None:
        self.config.server_id = cloud_lookup.id_of(machine)
        self.machine_exists = True
        self.save()

    def ensure_address(self) -> None:
        """The floating address, where one is wanted. It leads to the server's port, so only once the server runs."""
        if not self.config.wants_floating_ip or self.config.floating_ip:
            return
        server = self.find_machine()
        state = State.MISSING if server is None else self.state_of(server)
        if server is not None and state is State.RUNNING and self._make_address(server):
            return
        if state in (State.RUNNING, State.STARTING):
            raise self.still_making("it has no floating address yet")

    def _make_address(self, server: Json) -> bool:
        """Make the server's floating address, or find the one of an earlier try; False while the server has no port."""
        found = self.api.list_all(PORT, device_id=str(server["id"]))
        port = next((port for port in found if port.get("network_id") == self.config.network_id), None)
        if port is None:
            return False
        note, pool = requests.marker(self.ctx.machine_id), self.config.floating_ip_pool_id
        body = {"floating_network_id": pool, "port_id": str(port["id"]), "description": note}

        def find_address() -> Json | None:
            return next(iter(self.api.list_all(FLOATING_IP, description=note)), None)

        address = find_address() or self.create_or_find(lambda: self.api.make(FLOATING_IP, **body), find_address)
        self.config.floating_ip_id = cloud_lookup.id_of(address)
        self.config.floating_ip = str(address["floating_ip_address"])
        self.save()
        return True

    # queries and power

    def find_machine(self) -> Json | None:
        found = self.api.find(SERVER, self.config.server_id) if self.config.server_id else None
        if found is None:
            found = next(iter(self._servers.marked()), None)
        return None if removal.is_absent(found) else found

    def state_of(self, machine: Json) -> State:
        fault = _fault(machine)
        if self._requested_here and machine.get("status") == "ERROR" and fault:
            raise failure(self.ctx.name, fault)
        return state_of(machine)

    def endpoint_of(self, machine: Json) -> Endpoint | None:
        fixed, floating = addresses.addresses(machine, self.config.ip_version, self.config.network_name)
        return self.endpoint_at(self.config.floating_ip if self.config.wants_floating_ip else floating or fixed, fixed)

    def power_machine(self, machine: Json, verb: Verb) -> None:
        server_id, status = str(machine["id"]), str(machine.get("status"))
        task = TASKS.get(str(machine.get("task_state") or ""))
        if verb is Verb.START and is_resized_while_off(machine):
            raise errors.WrongState(
                f"{self.ctx.name} is being resized: its state is {status}",
                resolution=f"if it stays that way, `openstack server resize confirm {server_id}` ends it",
            )
        if verb in (Verb.START, Verb.RESTART) and status in START_ACTIONS:
            if task is not State.STARTING:
                self.api.act(server_id, START_ACTIONS[status])
        elif verb is Verb.RESTART:
            self.api.act(server_id, "reboot")
        elif verb in (Verb.STOP, Verb.KILL) and status in START_ACTIONS and status != "SHUTOFF":
            raise errors.WrongState(  # Nova stops what runs, and nothing else
                f"{self.ctx.name} is {status.lower()}, and cannot be stopped from there",
                resolution=f"machine start {self.ctx.name} wakes it; then run this command again",
            )
        elif verb in (Verb.STOP, Verb.KILL) and status not in START_ACTIONS and task is not State.STOPPING:
            self.api.act(server_id, "stop")

    def console_log(self) -> str:
        return self.api.console(self.config.server_id) if self.config.server_id else ""

    def explain_machine(self, machine: Json) -> str:
        status, fault = str(machine.get("status")), _fault(machine)
        said = f"its state is {status}"
        if fault and status == "ERROR":
            return f"{said}: {fault}; {failure(self.ctx.name, fault).resolution}"
        if status != "ACTIVE":
            return said
        endpoint = self.endpoint_of(machine)
        if endpoint is None:
            return f"{said}, but it has no IPv{self.config.ip_version} address"
        return f"{said}; {addresses.ingress_problem(self.api, machine, endpoint)}".rstrip("; ")

    # changes

    def disk_gigabytes(self) -> int:
        return self.config.own_volume_size

    def check_change(self, machine: Json, wanted: Config, names: Sequence[str]) -> None:
        if {change.FLAVOR_NAME, change.FLAVOR_ID} & set(names):
            change.check_flavor(self.api, machine, wanted, names)
        if change.DISK in names:
            change.check_disk(self.api, wanted)

    def change_machine(self, machine: Json, name: str) -> bool:
        if name == change.DISK:
            return change.grow_volume(self.api, self.config)
        return self._resize.advance(machine)

    # removal

    def remove_all(self) -> None:
        """The server and all that was made with it. Raises InProgress while the cloud still ends it."""
        api, config, machine_id = self.api, self.config, self.ctx.machine_id
        servers = self._servers.remaining()
        unknown = [str(server["id"]) for server in servers if server["id"] != config.server_id]
        if unknown and len(unknown) == len(servers):  # one that the cloud keeps after its removal is in no list
            config.server_id = unknown[0]
            self.save()
        removal.delete_addresses(api, config, machine_id)
        for server in servers:
            self._servers.delete(server)
        if config.key_pair and not config.existing_key:
            api.delete(KEY_PAIR, config.key_pair)
        for server in servers:
            if not self._servers.is_deleted(str(server["id"])):
                raise self.still_ending(f"server {server['id']} is still there")
        volumes = removal.delete_volumes(api, config, machine_id)
        if volumes:
            text = f"volume {volumes[0]['id']} ({volumes[0].get('status')}) is still there"
            raise self.still_ending(text, what="volume")
        removal.delete_group(api, config, self.ctx)


def _fault(server: Json) -> str:
    return str((server.get("fault") or {}).get("message") or "")
