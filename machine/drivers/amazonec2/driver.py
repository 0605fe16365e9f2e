"""Driver amazonec2: an instance of EC2, its key pair, and the security group that machines share."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from machine.drivers.amazonec2 import config, firewall, requests
from machine.drivers.amazonec2.client import MADE_BY, MADE_TAG, Api
from machine.drivers.amazonec2.errors import ERRORS
from machine.drivers.amazonec2.firewall import ENGINE_PORT
from machine.drivers.amazonec2.options import OPTIONS
from machine.drivers.amazonec2.preflight import preflight
from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.cloud import errors, ssh_key
from machine.drivers.cloud import user_data as userdata
from machine.drivers.cloud.adopt import add_rules, create_or_find, own_name
from machine.errors import DriverError, InProgress, NotSupported
from machine.model import Endpoint, State, Verb
from machine.options import Values

APPEARING_SECONDS = 60.0  # EC2 may deny for a while what it has just made
GONE = ("terminated",)
ENDING = ("terminated", "shutting-down")
STATES = {
    "pending": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "shutting-down": State.STOPPING,
    "stopped": State.STOPPED,
    "terminated": State.MISSING,
}


class AmazonDriver(Driver):
    """A machine that is one instance. `data` is its Driver object; unknown keys stay in it."""

    traits: ClassVar[Traits] = Traits(
        name="amazonec2",
        options=OPTIONS,
        summary="an EC2 instance",
        needs="AWS credentials: --amazonec2-access-key and -secret-key, or the SDK's own (profile, SSO, role)",
        can_power=True,
        firewall="the security group",
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data
        self.api = Api(data)
        self._host_key = ("", "")
        self._asked_at: float | None = None  # when this process asked for the instance
        self._seen: dict[str, Any] | None = None  # the instance, from a question that endpoint need not repeat

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, config.from_values(values))

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, dict(data))

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def key_path(self) -> str | None:
        """The user's own key, None to have one made."""
        return str(self.data.get("SSHPrivateKeyPath") or "") or None

    def give_host_key(self, private: str, public: str) -> None:
        self._host_key = (private, public)

    def account_recorded(self) -> str:
        return str(self.data.get("AccountID") or "")

    def account_asked(self) -> str:
        return self.api.account()

    # before

    def check(self) -> None:
        with preflight_errors():
            if self.data.get("BlockDurationMinutes"):
                self.ctx.log("--amazonec2-block-duration-minutes is ignored: EC2 ended spot blocks in 2022")
            self._check_files()
            preflight(self.api, self.data, self.ctx)

    def _check_files(self) -> None:
        self._user_data()
        ssh_key.check(
            self.key_path() or "",
            "--amazonec2-ssh-keypath",
            sent=not self.data.get("ExistingKey"),
            otherwise="name its key pair in EC2 with --amazonec2-keypair-name",
        )

    def _user_data(self) -> str:
        """All that cloud-init is told; BadUserData when the user's file cannot be used."""
        path = str(self.data.get("UserDataFile") or "")
        return userdata.for_create(path, self._host_key, self.ctx.user_data, requests.USER_DATA, ERRORS)

    # create

    def create(self) -> None:
        if self.data.get("ClientToken") and self._adopt():
            return
        if not self.data.get("Subnets"):
            preflight(self.api, self.data, self.ctx)
            self.ctx.save(self)
        self._ensure_key_pair()
        self._ensure_groups()
        self._run()

    def _adopt(self) -> bool:
        """Whether an earlier try made the instance already; it is ours then, and running."""
        alive = [instance for instance in self._instances() if _state(instance) not in ENDING]
        if not alive:
            if self.data.get("InstanceId"):
                self._next_token()
            return False
        self._keep(alive[0])
        if _state(alive[0]) == "stopped":
            self.power(Verb.START)
        return True

    def _ensure_key_pair(self) -> None:
        if self.data.get("ExistingKey") or self.data.get("KeyPairId"):
            return
        if not self.ctx.public_key:
            raise DriverError("there is no public key to send to EC2", resolution="check --amazonec2-ssh-keypath")
        name = self.data["KeyName"] = own_name(self.ctx.name, self.ctx.machine_id)
        self.ctx.save(self)
        made = create_or_find(
            lambda: self.api.import_key_pair(name, self.ctx.public_key, self._tags()),
            lambda: self._key_pair_id(name),
            doubtful=(errors.NameTaken,),
        )
        self.data["KeyPairId"] = made or name
        self.ctx.save(self)

    def _key_pair_id(self, name: str) -> str | None:
        """The id of the key pair that an earlier try made, "" if it has none, None if there is none of that name."""
        pairs = self.api.key_pairs(machine_id=self.ctx.machine_id)
        return next((str(pair.get("KeyPairId") or "") for pair in pairs if pair.get("KeyName") == name), None)

    def _ensure_groups(self) -> None:
        """Every wanted group exists and lets in what must come in. One process of this store at a time."""
        names, vpc = config.group_names(self.data), str(self.data["VpcId"])
        with self.ctx.lock(f"amazonec2-{vpc}"):
            present = {
                key: group for group in self.api.groups(names, vpc) for key in (group["GroupId"], group["GroupName"])
            }
            ids = []
            for name in names:
                group = present.get(name) or self._make_group(name, vpc)
                ids.append(str(group["GroupId"]))
                self.data["SecurityGroupIds"] = ids
                self.ctx.save(self)
                if not self.data.get("SecurityGroupReadOnly"):
                    self._open(group)

    def _make_group(self, name: str, vpc: str) -> dict[str, Any]:
        if self.data.get("SecurityGroupReadOnly") or name.startswith("sg-"):
            raise ERRORS.error(errors.BadFirewall, f"there is no security group {name} in {vpc}")
        return create_or_find(  # found if another computer made it a moment ago
            lambda: {"GroupId": self.api.create_group(name, vpc), "IpPermissions": []},
            lambda: next(iter(self.api.groups([name], vpc)), None),
            doubtful=(errors.NameTaken,),
        )

    def _open(self, group: dict[str, Any]) -> None:
        wanted, allowed = firewall.wanted(self.data, self.ctx.swarm_ports), self.data.get("AllowFrom") or []
        present = group.get("IpPermissions", [])
        if allowed and (wider := firewall.beyond(present, wanted, allowed)):  # since the check, or in older records
            name = group.get("GroupName") or group["GroupId"]
            self.ctx.log(f"the security group {name} lets in {', '.join(wider)} too, beyond --amazonec2-allow-from")
        rules = firewall.rules(wanted, allowed, group["GroupId"])
        add_rules(lambda missing: self.api.authorize(group["GroupId"], missing), firewall.missing(rules, present))

    def _run(self) -> None:
        """Ask for the instance, in the next subnet when one has no room. A repeated request makes no second one."""
        if not self.data.get("ClientToken"):
            self._next_token()
        user_data = self._user_data()
        subnets = list(self.data["Subnets"])
        for number, subnet in enumerate(subnets):
            self.data["SubnetId"] = subnet
            self.ctx.save(self)
            self._asked_at = self.ctx.clock.now()
            try:
                made = self.api.run_instance(requests.request(self.data, self._tags(), user_data=user_data))
            except errors.NoCapacity as error:
                self._next_token()
                if number == len(subnets) - 1:
                    raise
                self.ctx.log(f"no room in {subnet} ({error.code}), trying {subnets[number + 1]}")
                continue
            self._keep(made)
            return

    def _keep(self, instance: dict[str, Any]) -> None:
        self.data["InstanceId"] = instance["InstanceId"]
        self.data["ReservationId"] = instance.get("ReservationId", "")
        self.data["PrivateIPAddress"] = instance.get("PrivateIpAddress", "")
        self.data["SubnetId"] = instance.get("SubnetId") or self.data.get("SubnetId", "")
        self.ctx.save(self)

    def _next_token(self) -> None:
        """A token that EC2 has not seen: the one before got an answer that ends its use."""
        self.data["Launches"] = int(self.data.get("Launches") or 0) + 1
        self.data["ClientToken"] = f"{self.ctx.machine_id}-{self.data['Launches']}"[:64]
        self.data["InstanceId"] = ""
        self.ctx.save(self)

    def _tags(self) -> list[dict[str, str]]:
        return requests.tags(self.data, self.ctx.name, self.ctx.machine_id)

    # life

    def state(self) -> State:
        instance = self._instance()
        if instance is None:
            just_asked = self._asked_at is not None and self.ctx.clock.now() - self._asked_at < APPEARING_SECONDS
            return State.STARTING if just_asked else State.MISSING
        self._seen = instance
        return STATES.get(_state(instance), State.ERROR)

    def endpoint(self) -> Endpoint | None:
        instance, self._seen = self._seen or self._instance(), None
        if instance is None:
            return None
        private = str(instance.get("PrivateIpAddress") or "")
        if self.data.get("Ipv6AddressOnly"):
            address = _ipv6(instance)
        elif self.data.get("PrivateIPOnly") or self.data.get("UsePrivateIP"):
            address = private
        else:
            address = str(instance.get("PublicIpAddress") or "")
        if not address:
            return None
        return Endpoint(
            address=address,
            ssh_user=str(self.data.get("SSHUser") or "ubuntu"),
            ssh_port=int(self.data.get("SSHPort") or 22),
            engine_port=ENGINE_PORT,
            peer_address=private,
            listen_port=ENGINE_PORT,
        )

    def power(self, verb: Verb) -> None:
        instance = self._instance()
        if instance is None or _state(instance) in ENDING:
            raise errors.MachineGone(
                f"EC2 has no instance for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        instance_id, state = str(instance["InstanceId"]), _state(instance)
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
            if instance.get("InstanceLifecycle") == "spot":
                raise NotSupported(
                    f"{self.ctx.name} is a spot instance: it can only run or be removed",
                    details=error.details,
                    resolution=f"machine rm {self.ctx.name}",
                ) from None
            raise

    def console_log(self) -> str:
        return self.api.console(self.data["InstanceId"]) if self.data.get("InstanceId") else ""

    def explain(self) -> str:
        """Why it may not come up or not be reachable, as far as EC2 can tell."""
        instance = self._instance()
        if instance is None:
            return ""
        reason = str(instance.get("StateReason", {}).get("Message") or "")
        if _state(instance) != "running":
            return f"EC2 says: {reason}" if reason else ""
        if self.endpoint() is None:
            return "it has no address of the wanted kind: look at its subnet, or --amazonec2-use-private-address"
        port = int(self.data.get("SSHPort") or 22)
        holders = [instance, *instance.get("NetworkInterfaces", [])]
        ids = sorted({str(g["GroupId"]) for h in holders for g in (h.get("SecurityGroups") or h.get("Groups") or [])})
        present = [
            rule for group in self.api.groups(ids, str(instance.get("VpcId"))) for rule in group["IpPermissions"]
        ]
        allowed = firewall.sources(present, port)
        if not allowed:
            return f"no rule of its security groups ({', '.join(ids)}) lets port {port} in"
        if set(allowed).isdisjoint(firewall.EVERYBODY):
            return f"its security groups let port {port} in from {', '.join(allowed)} only"
        return ""

    # the end

    def remove(self) -> None:
        """Instance, key pair, and the groups that no machine uses. InProgress while EC2 still ends the instance."""
        instances = self._all_instances()
        self.api.terminate([instance["InstanceId"] for instance in instances if _state(instance) not in ENDING])
        self._remove_key_pairs()
        ending = [str(instance["InstanceId"]) for instance in instances if _state(instance) not in GONE]
        self._remove_groups(ending)

    def _remove_key_pairs(self) -> None:
        if self.data.get("ExistingKey") or not self.data.get("KeyName"):
            return
        self.api.delete_key_pair(str(self.data["KeyName"]))

    def _remove_groups(self, ending: list[str]) -> None:
        if not self.data.get("KeyName") or not self.data.get("VpcId"):
            return  # create did not get as far as groups
        names, vpc = config.group_names(self.data), str(self.data["VpcId"])
        with self.ctx.lock(f"amazonec2-{vpc}"):
            taken = {group for other in self.ctx.siblings() for group in other.get("SecurityGroupIds") or []}
            for group in self.api.groups(names, vpc):
                ours = any(tag["Key"] == MADE_TAG and tag["Value"] == MADE_BY for tag in group.get("Tags", []))
                if ours and group["GroupId"] not in taken:
                    self._remove_group(group, ending)

    def _remove_group(self, group: dict[str, Any], ending: list[str]) -> None:
        users = {
            str(interface.get("Attachment", {}).get("InstanceId") or "another")
            for interface in self.api.interfaces(group["GroupId"])
        }
        if users - set(ending):
            return
        if not users:
            try:
                self.api.delete_group(group["GroupId"])
            except errors.InUse as error:
                if not ending:
                    return  # something else refers to it: it is not only ours
                raise self._in_progress(error.details) from None
            return
        raise self._in_progress(f"{', '.join(sorted(users))} still has the security group {group['GroupId']}")

    def _in_progress(self, details: str) -> InProgress:
        return InProgress(
            f"EC2 is still ending the instance of {self.ctx.name}",
            details=details,
            resolution=f"machine rm {self.ctx.name} again removes its security group too",
        )

    # questions

    def _instance(self) -> dict[str, Any] | None:
        """The machine's instance, None if EC2 knows of none."""
        found = self._instances()
        alive = [instance for instance in found if _state(instance) not in ENDING]
        return next(iter([*alive, *found]), None)

    def _instances(self) -> list[dict[str, Any]]:
        """By the recorded id; when that is missing or unknown, by tag."""
        recorded = str(self.data.get("InstanceId") or "")
        found = self.api.instances(instance_id=recorded) if recorded else []
        if not found and self.data.get("ClientToken"):
            found = self.api.instances(machine_id=self.ctx.machine_id)
        return found

    def _all_instances(self) -> list[dict[str, Any]]:
        """By the recorded id and by tag: more than one, where a request was made twice after all."""
        recorded = str(self.data.get("InstanceId") or "")
        found = self.api.instances(instance_id=recorded) if recorded else []
        if self.data.get("ClientToken"):
            found += self.api.instances(machine_id=self.ctx.machine_id)
        return list({instance["InstanceId"]: instance for instance in found}.values())


def _state(instance: dict[str, Any]) -> str:
    return str(instance.get("State", {}).get("Name", ""))


def _ipv6(instance: dict[str, Any]) -> str:
    if instance.get("Ipv6Address"):
        return str(instance["Ipv6Address"])
    for interface in instance.get("NetworkInterfaces", []):
        for address in interface.get("Ipv6Addresses", []):
            return str(address["Ipv6Address"])
    return ""
