"""Driver openstack: a server with its key pair, its root volume, its floating address, and the group machines share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.cloud import errors, ports, ssh_key, user_data
from machine.drivers.cloud.adopt import add_rules, create_or_find
from machine.drivers.openstack import addresses, config, conoha, firewall, lookup, removal, requests
from machine.drivers.openstack.client import Api
from machine.drivers.openstack.errors import ERRORS, failure
from machine.drivers.openstack.options import OPTIONS
from machine.drivers.openstack.preflight import preflight
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb
from machine.options import Values

Json = dict[str, Any]
T = TypeVar("T")
STATES = {  # https://docs.openstack.org/api-guide/compute/server_concepts.html#server-status
    "ACTIVE": State.RUNNING,
    "BUILD": State.STARTING,
    "DELETED": State.MISSING,
    "HARD_REBOOT": State.STARTING,
    "MIGRATING": State.RUNNING,
    "PASSWORD": State.RUNNING,
    "PAUSED": State.PAUSED,
    "REBOOT": State.STARTING,
    "REBUILD": State.STARTING,
    "RESCUE": State.RUNNING,
    "RESIZE": State.STARTING,
    "REVERT_RESIZE": State.STARTING,
    "SHELVED": State.SAVED,
    "SHELVED_OFFLOADED": State.SAVED,
    "SHUTOFF": State.STOPPED,
    "SOFT_DELETED": State.MISSING,
    "SUSPENDED": State.SAVED,
    "VERIFY_RESIZE": State.RUNNING,
}
TASKS = {  # what is under way wins over where it comes from
    "deleting": State.STOPPING,
    "soft-deleting": State.STOPPING,
    "powering-off": State.STOPPING,
    "powering-on": State.STARTING,
    "resuming": State.STARTING,
    "unpausing": State.STARTING,
    "unshelving": State.STARTING,
}
START_ACTIONS = {
    "SHUTOFF": "start",
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
}
VOLUME_READY, VOLUME_FAILED = ("available",), ("error", "error_restoring")


class OpenStackDriver(Driver):
    """A machine that is one server. `data` is its Driver object; unknown keys stay in it."""

    traits: ClassVar[Traits] = Traits(
        name="openstack",
        options=OPTIONS,
        summary="a server of an OpenStack cloud, or of ConoHa",
        needs="--openstack-cloud, or $OS_AUTH_URL with a login; --openstack-flavor-name and -image-name",
        can_power=True,
        firewall="the security groups",
    )

    def __init__(self, ctx: DriverContext, data: Json) -> None:
        super().__init__(ctx)
        self.data = data
        self.api = Api(data)
        self.boot_timeout = float(data.get("ActiveTimeout") or 300)
        self._host_key = ("", "")
        self._prepared = False  # this process has made what the server needs
        self._there = False  # this process has asked for the server, or found the one of an earlier try
        self._fresh = False  # this process asked for the server
        self._has_volume = False  # this process knows its root volume
        self._asked: removal.Asked = {}  # what this process told the cloud to end
        self._ending: list[str] = []  # ids of servers that came to nothing, and go before there is another
        self._seen: Json | None = None  # the server, from a question that endpoint need not repeat

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, config.from_values(values))

    @classmethod
    def load(cls, ctx: DriverContext, data: Json) -> Self:
        return cls(ctx, config.normalized(data))

    def dump(self) -> Json:
        return dict(self.data)

    def key_path(self) -> str | None:
        """The user's own key, None to have one made."""
        return str(self.data.get("PrivateKeyFile") or "") or None

    def give_host_key(self, private: str, public: str) -> None:
        self._host_key = (private, public)

    def account_recorded(self) -> str:
        return str(self.data.get("ProjectId") or "")

    def account_asked(self) -> str:
        return self.api.log_in()

    # before

    def check(self) -> None:
        with preflight_errors():
            if self.data.get("ComputeNetwork"):
                self.ctx.log("--openstack-nova-network is ignored: OpenStack has only Neutron today")
            self._check_files()
            self.data["ClientConfigFile"] = self.data.get("ClientConfigFile") or config.clouds_file(self.data)
            preflight(self.api, self.data, self.ctx.log, self.ctx.swarm_ports)
            self._check_allow_from()
            if unused := config.unused_options(self.data):
                which = f"{', '.join(unused)} (or their variables)"
                self.ctx.log(f"not used, as the cloud {self.data['Cloud']} has a login: {which}")
            self._user_data()  # by the rules of the profile, which may be known only now

    def _check_allow_from(self) -> None:
        """An older machine may have its --openstack-allow-from in everybody's group, which must not be opened then."""
        own = config.own_group(self.data)
        for other in self.ctx.siblings():
            mine = own in (self.data.get("SecurityGroups") or []) and own in (other.get("SecurityGroups") or [])
            same = other.get("ProjectId") == self.data["ProjectId"]
            if mine and same and other.get("AllowFrom") and not other.get("OwnGroup"):
                raise errors.BadFirewall(
                    f"the security group {own} has a machine of an earlier version that only "
                    f"{', '.join(other['AllowFrom'])} may reach, and this one would open it",
                    resolution="give --openstack-sec-groups of your own, or --openstack-allow-from; or make that "
                    "machine anew, which then gets a group of its own",
                )

    def _check_files(self) -> None:
        self._user_data()
        ssh_key.check(
            self.key_path() or "",
            "--openstack-private-key-file",
            sent=not self.data.get("ExistingKey"),
            otherwise="name its key pair in the cloud with --openstack-keypair-name",
        )

    def _user_data(self) -> str:
        """All that cloud-init is told; BadUserData when the user's file cannot be used."""
        path = str(self.data.get("UserDataFile") or "")
        rules = conoha.USER_DATA if config.is_conoha(self.data) else requests.USER_DATA
        return user_data.for_create(path, self._host_key, self.ctx.user_data, rules, ERRORS)

    # create

    def create(self) -> None:
        """InProgress while a root volume gets ready, before the server is asked for, and until the server runs if it
        is to have a floating address."""
        if not (self._there or self._prepared):
            self._prepare()
        if not self._there:
            self._make_server()
        self._ensure_address()

    def _prepare(self) -> None:
        """Find what an earlier try has left; if that is no server, make all that one needs."""
        if self.data.get("Asked") and self._adopt():
            return
        if not self.data.get("Surveyed"):
            preflight(self.api, self.data, self.ctx.log, self.ctx.swarm_ports)
        self.data["Asked"] = True
        self.ctx.save(self)
        self._ensure_key()
        self._ensure_groups()
        self._prepared = True

    def _adopt(self) -> bool:
        """Whether an earlier try made the server already; it is ours then, and running."""
        found = removal.remaining(self.api, self.data, self.ctx.machine_id, self._asked)
        there = [server for server in found if not removal.is_absent(server)]
        alive = [server for server in there if server.get("status") != "ERROR" or server.get("launched_at")]
        if not alive:
            self._ending = [str(server["id"]) for server in found]
            for server in found:
                removal.delete_server(self.api, server, self._asked)
            removal.addresses(self.api, self.data, self.ctx)  # it would go on leading to the old one
            self.data |= {"FloatingIp": "", "FloatingIpId": ""}
            return False
        self._save_server(alive[0])
        if str(alive[0].get("status")) in START_ACTIONS:
            self.power(Verb.START)
        return True

    def _ensure_key(self) -> None:
        if self.data.get("ExistingKey"):
            return
        if not self.ctx.public_key:
            raise ERRORS.error(errors.BadKey, "there is no public key to send to the cloud")
        name = self.data["KeyPairName"] = requests.own_name(self.ctx.name, self.ctx.machine_id)
        self.ctx.save(self)
        self._create_or_find(
            lambda: self.api.make_key(name, self.ctx.public_key),
            lambda: name if self.api.has_key(name) else None,
            (*errors.AMBIGUOUS_ERRORS, errors.NameTaken),  # the name carries the id: it was an earlier try
        )

    def _ensure_groups(self) -> None:
        """Every wanted group exists, and ours lets in what must come in. One process of this store at a time."""
        names, own = [str(name) for name in self.data.get("SecurityGroups") or []], config.own_group(self.data)
        with self.ctx.lock(f"openstack-{self.data['ProjectId']}"):
            present, ids = self.api.groups(), []
            for name in names:
                group = lookup.group(present, name, self.data)
                if group is None and name == own:
                    group = self._make_group()
                if group is None:
                    raise ERRORS.error(errors.BadFirewall, f"there is no security group {name}")
                ids.append(str(group["id"]))
                self.data["SecurityGroupIds"] = list(ids)
                self.ctx.save(self)
                if name == own:
                    self._open_ports(group)

    def _make_group(self) -> Json:
        """Two computers at once would make two of them: the first by id is everybody's."""
        own = config.own_group(self.data)
        made = self._create_or_find(
            lambda: self.api.make_group(own, requests.GROUP_MARK),
            lambda: lookup.group(self.api.groups(), own, self.data),
        )
        first = lookup.group(self.api.groups(), own, self.data) or made
        if first["id"] != made["id"]:
            self.api.delete_group(str(made["id"]))
        return first

    def _open_ports(self, group: Json) -> None:
        wanted = ports.openings(
            int(self.data.get("SSHPort") or 22),
            requests.ENGINE_PORT,
            self.ctx.swarm_ports,
            self.data.get("OpenPorts") or [],
        )
        rules = firewall.rules(wanted, self.data.get("AllowFrom") or [], str(group["id"]))
        add_rules(
            self.api.make_rules,
            firewall.missing(rules, group.get("security_group_rules") or []),
            doubtful=(errors.NameTaken, *errors.AMBIGUOUS_ERRORS),
        )

    def _ensure_volume(self) -> None:
        if not self.data.get("BootFromVolume") or self.data.get("VolumeId") or self._has_volume:
            return
        name = str(self.data.get("VolumeName") or requests.own_name(self.ctx.name, self.ctx.machine_id))
        self.data["OwnVolumeName"] = name
        self.ctx.save(self)

        def left() -> Json | None:
            found = removal.volumes(self.api, self.data, self.ctx.machine_id)
            return next((one for one in found if one.get("status") not in ("deleting", *VOLUME_FAILED)), None)

        made = left() or self._create_or_find(
            lambda: self.api.make_volume(requests.volume(self.data, self.ctx.name, self.ctx.machine_id)), left
        )
        self.data["OwnVolumeId"] = str(made["id"])
        self._has_volume = True
        self.ctx.save(self)

    def _make_server(self) -> None:
        """Ask for the server as soon as one that came to nothing is gone, and its root volume is ready."""
        if not all(removal.is_deleted(self.api, server, self._asked) for server in self._ending):
            raise self._in_progress("the server of an earlier try is still being ended")
        self._ending = []
        self._ensure_volume()
        if self.data.get("OwnVolumeId"):
            volume = self.api.volume(str(self.data["OwnVolumeId"]))
            status = str((volume or {}).get("status"))
            if volume is None or status in VOLUME_FAILED or status == "in-use":
                raise ERRORS.error(errors.BadVolume, f"the root volume of {self.ctx.name} came to nothing", status)
            if status not in VOLUME_READY:
                raise self._in_progress(f"its root volume is {status}")
        body = requests.server(self.data, self.ctx.name, self.ctx.machine_id, self._user_data())

        def found() -> Json | None:
            return next(iter(removal.find(self.api, self.data, self.ctx.machine_id)), None)

        self._save_server(self._create_or_find(lambda: self.api.make_server(body), found))
        self._fresh = True

    def _save_server(self, server: Json) -> None:
        self.data["MachineId"] = str(server["id"])
        self._there = True
        self.ctx.save(self)

    def _ensure_address(self) -> None:
        """The floating address, where one is wanted. It leads to the server's port, so only once the server runs."""
        if not self._wants_floating() or self.data.get("FloatingIp"):
            return
        state = self.state()
        if state is State.RUNNING and (server := self._server()) is not None and self._floating(server):
            return
        if state in (State.RUNNING, State.STARTING):
            raise self._in_progress("it has no floating address yet")

    def _wants_floating(self) -> bool:
        wanted = self.data.get("FloatingIpPool") and self.data.get("Asked")
        return bool(wanted) and int(self.data.get("IpVersion") or 4) == 4

    def _in_progress(self, details: str) -> InProgress:
        return InProgress(f"the cloud is still making {self.ctx.name}", details=details)

    # life

    def state(self) -> State:
        server = self._seen = self._server()
        if server is None:
            return State.MISSING
        status, fault = str(server.get("status")), str((server.get("fault") or {}).get("message") or "")
        if self._fresh and status == "ERROR" and fault:
            raise failure(self.ctx.name, fault)
        task = TASKS.get(str(server.get("task_state") or ""))
        return task or STATES.get(status, State.ERROR)

    def endpoint(self) -> Endpoint | None:
        server, self._seen = self._seen or self._server(), None
        if server is None:
            return None
        family = int(self.data.get("IpVersion") or 4)
        fixed, floating = addresses.addresses(server, family, str(self.data.get("NetworkName") or ""))
        address = str(self.data.get("FloatingIp") or "") if self._wants_floating() else floating or fixed
        if not address:
            return None
        return Endpoint(
            address=address,
            ssh_user=str(self.data.get("SSHUser") or "root"),
            ssh_port=int(self.data.get("SSHPort") or 22),
            engine_port=requests.ENGINE_PORT,
            peer_address=fixed,
            listen_port=requests.ENGINE_PORT,
        )

    def _floating(self, server: Json) -> str:
        """Make the server's floating address, or find the one of an earlier try; "" while the server has no port."""
        found = self.api.ports(str(server["id"]))
        port = next((port for port in found if port.get("network_id") == self.data.get("NetworkId")), None)
        if port is None:
            return ""
        note, pool = requests.mark(self.ctx.machine_id), str(self.data["FloatingIpPoolId"])

        def made() -> Json | None:
            return next(iter(self.api.addresses(note)), None)

        address = made() or self._create_or_find(lambda: self.api.make_address(pool, str(port["id"]), note), made)
        self.data["FloatingIpId"] = str(address["id"])
        self.data["FloatingIp"] = str(address["floating_ip_address"])
        self.ctx.save(self)
        return str(self.data["FloatingIp"])

    def power(self, verb: Verb) -> None:
        server = self._server()
        if server is None:
            raise errors.MachineGone(
                f"the cloud has no server for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        server_id, status, task = str(server["id"]), str(server.get("status")), str(server.get("task_state") or "")
        if verb in (Verb.START, Verb.RESTART) and status in START_ACTIONS:
            if TASKS.get(task) is not State.STARTING:
                self.api.act(server_id, START_ACTIONS[status])
        elif verb is Verb.RESTART:
            self.api.act(server_id, "reboot")
        elif verb in (Verb.STOP, Verb.KILL) and status in START_ACTIONS and status != "SHUTOFF":
            raise errors.WrongState(  # Nova stops what runs, and nothing else
                f"{self.ctx.name} is {status.lower()}, and cannot be stopped from there",
                resolution=f"machine start {self.ctx.name} wakes it; then run this command again",
            )
        elif verb in (Verb.STOP, Verb.KILL) and status not in START_ACTIONS and TASKS.get(task) is not State.STOPPING:
            self.api.act(server_id, "stop")

    def console_log(self) -> str:
        return self.api.console(str(self.data["MachineId"])) if self.data.get("MachineId") else ""

    def explain(self) -> str:
        """Why it may not come up or not be reachable, as far as the cloud can tell."""
        server = self._server()
        if server is None:
            return ""
        status = str(server.get("status"))
        fault = str((server.get("fault") or {}).get("message") or "")
        if fault and status == "ERROR":
            error = failure(self.ctx.name, fault)
            return f"its state is {status}: {fault}; {error.resolution}"
        said = f"its state is {status}"
        if status != "ACTIVE":
            return said
        address = self.endpoint()
        if address is None:
            return f"{said}, but it has no IPv{self.data.get('IpVersion') or 4} address"
        return f"{said}; {addresses.ingress_problem(self.api, server, address)}".rstrip("; ")

    def remove(self) -> None:
        """The server and all that was made with it. InProgress while the cloud still ends it."""
        self._there = self._prepared = False
        removal.remove(self.api, self.data, self.ctx, self._asked, lambda: self.ctx.save(self))

    # questions

    def _create_or_find(
        self,
        create: Callable[[], T],
        find: Callable[[], T | None],
        doubtful: tuple[errors.Kind, ...] = errors.AMBIGUOUS_ERRORS,
    ) -> T:
        return create_or_find(create, find, doubtful=doubtful, repeat=config.retries(self.data) > 0)

    def _server(self) -> Json | None:
        """By the recorded id; when that is missing or unknown, by mark."""
        recorded = str(self.data.get("MachineId") or "")
        found = self.api.server(recorded) if recorded else None
        if found is None and self.data.get("Asked"):
            servers = [one for one in self.api.servers() if requests.is_ours(one, self.data, self.ctx.machine_id)]
            found = next(iter(servers), None)
        return None if removal.is_absent(found) else found
