"""Driver amazonec2: an instance of EC2, its key pair, and the security group that machines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from machine.drivers.amazonec2 import change, firewall, requests
from machine.drivers.amazonec2.client import MADE_BY, MADE_TAG, Api, Json
from machine.drivers.amazonec2.config import Config
from machine.drivers.amazonec2.errors import ERRORS
from machine.drivers.amazonec2.options import OPTIONS
from machine.drivers.amazonec2.preflight import preflight
from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import errors, groups, lookup
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import Provider
from machine.drivers.cloud.firewall import explain, sources_outside
from machine.errors import NotSupported
from machine.model import Endpoint, State, Verb

ENDING = ("terminated", "shutting-down")
STATES = {
    "pending": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "shutting-down": State.STOPPING,
    "stopped": State.STOPPED,
    "terminated": State.MISSING,
}


class AmazonDriver(ChangesMachine[Config]):
    """A machine that is one instance."""

    traits: ClassVar[Traits] = Traits(
        name="amazonec2",
        options=OPTIONS,
        summary="an EC2 instance",
        needs="AWS credentials: --amazonec2-access-key and -secret-key, or the SDK's own (profile, SSO, role)",
        can_power=True,
        firewall="the security group",
    )
    config_class = Config
    provider = Provider(
        "EC2",
        "instance",
        ERRORS,
        requests.USER_DATA,
        key_flag="--amazonec2-ssh-keypath",
        key_alternative="name its key pair in EC2 with --amazonec2-keypair-name",
        ignored={
            "block_duration_minutes": "--amazonec2-block-duration-minutes is ignored: EC2 ended spot blocks in 2022"
        },
    )

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config)

    def current_account(self) -> str:
        return self.api.account()

    def preflight(self) -> None:
        preflight(self.api, self.config, self.ctx)

    # create

    def adopt_or_discard_earlier(self) -> bool:
        if super().adopt_or_discard_earlier():
            return True
        if self.config.instance_id:
            self._next_token()
        return False

    def prepare(self) -> None:
        self._ensure_key_pair()
        vpc = self.config.vpc_id
        with self.ctx.lock(f"amazonec2-{vpc}"):
            found = self.api.groups(self.config.groups, vpc)
            present = {group[key]: group for group in found for key in ("GroupId", "GroupName")}
            for group in groups.ensure(self, self.config.groups, present.get, self._make_group, "GroupId"):
                if not self.config.security_group_readonly:
                    self._open_ports(group)

    def _ensure_key_pair(self) -> None:
        if self.config.existing_key or self.config.key_pair_id:
            return
        public_key = self.public_key()
        name = self.config.key_name = self.own_name()
        self.save()

        def found() -> str | None:
            """The id of the key pair that an earlier try made, "" if it has none, None if there is none."""
            pairs = self.api.key_pairs(machine_id=self.ctx.machine_id)
            return next((str(pair.get("KeyPairId") or "") for pair in pairs if pair.get("KeyName") == name), None)

        made = self.create_named(lambda: self.api.import_key_pair(name, public_key, self._tags()), found)
        self.config.key_pair_id = made or name
        self.save()

    def _make_group(self, name: str) -> Json | None:
        if self.config.security_group_readonly or name.startswith("sg-"):
            return None
        vpc = self.config.vpc_id
        return self.create_named(  # found if another computer made it a moment ago
            lambda: {"GroupId": self.api.create_group(name, vpc), "IpPermissions": []},
            lambda: next(iter(self.api.groups([name], vpc)), None),
        )

    def _open_ports(self, group: Json) -> None:
        group_id, present = str(group["GroupId"]), firewall.rules([group])
        allowed = self.config.allow_from
        wider = (
            sources_outside(present, self.config.needed_port_ranges(self.ctx.cluster_ports), allowed) if allowed else []
        )
        if wider:  # since the check, or in older records
            name = group.get("GroupName") or group_id
            self.ctx.log(f"the security group {name} lets in {', '.join(wider)} too, beyond --amazonec2-allow-from")
        groups.open_ports(
            self, lambda rules: self.api.authorize(group_id, list(map(firewall.request, rules))), present, group_id
        )

    def make_machine(self) -> None:
        """Ask for the instance, in the next subnet when one has no room. A repeated request makes no second one."""
        if not self.config.client_token:
            self._next_token()
        user_data, subnets = self.user_data(), list(self.config.subnets)
        for subnet, following in zip(subnets, [*subnets[1:], ""], strict=True):
            self.config.subnet_id = subnet
            self.save()
            self.requested_at = self.ctx.clock.now()
            try:
                made = self.api.run_instance(requests.request(self.config, self._tags(), user_data=user_data))
            except errors.NoCapacity as error:
                self._next_token()
                if not following:
                    raise
                self.ctx.log(f"no room in {subnet} ({error.code}), trying {following}")
                continue
            self.save_machine(made)
            return

    def save_machine(self, machine: Json) -> None:
        self.config.instance_id = lookup.id_of(machine, "InstanceId")
        self.config.reservation_id = machine.get("ReservationId", "")
        self.config.private_ip = machine.get("PrivateIpAddress", "")
        self.config.subnet_id = machine.get("SubnetId") or self.config.subnet_id
        self.machine_exists = True
        self.save()

    def _next_token(self) -> None:
        """A token that EC2 has not seen: the one before got an answer that ends its use."""
        self.config.launches += 1
        self.config.client_token = f"{self.ctx.machine_id}-{self.config.launches}"[:64]
        self.config.instance_id = ""
        self.save()

    def _tags(self) -> list[dict[str, str]]:
        return requests.tags(self.config, self.ctx.name, self.ctx.machine_id)

    # queries and power

    def find_machine(self) -> Json | None:
        found = self.api.instances(instance_id=self.config.instance_id) if self.config.instance_id else []
        found = found or self._tagged()
        alive = [instance for instance in found if not self.is_terminating(instance)]
        return next(iter([*alive, *found]), None)

    def _tagged(self) -> list[Json]:
        return self.api.instances(machine_id=self.ctx.machine_id) if self.config.create_requested else []

    def is_terminating(self, machine: Json) -> bool:
        return _state(machine) in ENDING

    def state_of(self, machine: Json) -> State:
        return STATES.get(_state(machine), State.ERROR)

    def endpoint_of(self, machine: Json) -> Endpoint | None:
        private = str(machine.get("PrivateIpAddress") or "")
        if self.config.ipv6_only:
            return self.endpoint_at(_ipv6(machine), private)
        if self.config.private_only or self.config.use_private_ip:
            return self.endpoint_at(private, private)
        return self.endpoint_at(str(machine.get("PublicIpAddress") or ""), private)

    def power_machine(self, machine: Json, verb: Verb) -> None:
        instance_id, state = str(machine["InstanceId"]), _state(machine)
        try:
            if verb in (Verb.START, Verb.RESTART) and state not in ("running", "pending"):
                self.api.start(instance_id)
            elif verb is Verb.STOP and state not in ("stopped", "stopping"):
                self.api.stop(instance_id, force=False)
            elif verb is Verb.KILL and state != "stopped":
                self.api.stop(instance_id, force=True)
            elif verb is Verb.RESTART:
                self.api.reboot(instance_id)
        except errors.WrongState as error:
            if machine.get("InstanceLifecycle") == "spot":
                raise NotSupported(
                    f"{self.ctx.name} is a spot instance: it can only run or be removed",
                    details=error.details,
                    resolution=f"machine rm {self.ctx.name}",
                ) from None
            raise

    def console_log(self) -> str:
        return self.api.console(self.config.instance_id) if self.config.instance_id else ""

    def explain_machine(self, machine: Json) -> str:
        reason = str(machine.get("StateReason", {}).get("Message") or "")
        if _state(machine) != "running":
            return f"EC2 says: {reason}" if reason else ""
        if self.endpoint_of(machine) is None:
            return "it has no address of the wanted kind: look at its subnet, or --amazonec2-use-private-address"
        holders = [machine, *machine.get("NetworkInterfaces", [])]
        ids = sorted({str(g["GroupId"]) for h in holders for g in (h.get("SecurityGroups") or h.get("Groups") or [])})
        present = firewall.rules(self.api.groups(ids, str(machine.get("VpcId"))))
        return explain(present, self.config.ssh_port, f"its security groups ({', '.join(ids)})")

    # changes

    def disk_gigabytes(self) -> int:
        return self.config.root_size

    def check_change(self, machine: Json, wanted: Config, names: Sequence[str]) -> None:
        if change.TYPE in names:
            change.check_type(self.api, machine, wanted)
        if change.DISK in names:
            change.check_disk(self.api, machine, wanted)

    def change_machine(self, machine: Json, name: str) -> bool:
        if name == change.TYPE:
            return change.change_type(self.api, machine, self.config.instance_type)
        return change.grow_volume(self.api, machine, self.config.root_size)

    # removal

    def remove_all(self) -> None:
        """Instance, key pair, and the groups that no machine uses.

        Raises InProgress while EC2 still ends the instance.
        """
        recorded = self.api.instances(instance_id=self.config.instance_id) if self.config.instance_id else []
        found = [*recorded, *self._tagged()]  # more than one, where a request was made twice after all
        instances = {str(instance["InstanceId"]): instance for instance in found}
        self.api.terminate([key for key, instance in instances.items() if not self.is_terminating(instance)])
        if not self.config.key_name:
            return  # create did not get as far as groups
        if not self.config.existing_key:
            self.api.delete_key_pair(self.config.key_name)
        if self.config.vpc_id:
            self._remove_groups({key for key, instance in instances.items() if _state(instance) != "terminated"})

    def _remove_groups(self, ending: set[str]) -> None:
        vpc = self.config.vpc_id
        with self.ctx.lock(f"amazonec2-{vpc}"):
            taken = {group for other in self.ctx.siblings() for group in other.get("SecurityGroupIds") or []}
            for group in self.api.groups(self.config.groups, vpc):
                ours = any(tag["Key"] == MADE_TAG and tag["Value"] == MADE_BY for tag in group.get("Tags", []))
                if ours and group["GroupId"] not in taken:
                    self._remove_group(group["GroupId"], ending)

    def _remove_group(self, group_id: str, ending: set[str]) -> None:
        """Remove a group that no machine of the store has, unless something else than ours has it."""
        interfaces = self.api.interfaces(group_id)
        users = {str(interface.get("Attachment", {}).get("InstanceId") or "another") for interface in interfaces}
        if users - ending:
            return
        if users:
            details = f"{', '.join(sorted(users))} still has the security group {group_id}"
            raise self.still_ending(details, "its security group too")
        try:
            self.api.delete_group(group_id)
        except errors.InUse as error:
            if ending:  # else something refers to it that is not ours
                raise self.still_ending(error.details, "its security group too") from None


def _state(instance: Json) -> str:
    return str(instance.get("State", {}).get("Name", ""))


def _ipv6(instance: Json) -> str:
    interfaces = instance.get("NetworkInterfaces", [])
    found = [address["Ipv6Address"] for one in interfaces for address in one.get("Ipv6Addresses", [])]
    return str(instance.get("Ipv6Address") or next(iter(found), ""))
