"""Driver azure: a virtual machine with its disk, network interface, address and firewall, in what machines share."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Self

from machine import names
from machine.drivers.azure import change, firewall, requests, resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ERRORS
from machine.drivers.azure.options import OPTIONS
from machine.drivers.azure.preflight import preflight
from machine.drivers.azure.resources import ADDRESS, DISK, INTERFACE, MACHINE, SECURITY_GROUP, Json, ResourceType
from machine.drivers.azure.shared import SharedResources
from machine.drivers.base import DriverContext, Traits
from machine.drivers.cloud import errors, lookup
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import Provider
from machine.drivers.cloud.firewall import explain
from machine.drivers.cloud.ports import PortRange
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb
from machine.options import Values

STATES = {  # https://learn.microsoft.com/azure/virtual-machines/states-billing
    "starting": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "stopped": State.STOPPED,
    "deallocating": State.STOPPING,
    "deallocated": State.STOPPED,
}
PASSING_CODES = (  # refusals of what refers to something that Azure is still at, even if it has said that it is done
    *("AnotherOperationInProgress", "ReferencedResourceNotProvisioned"),
    *("RetryableError", "RetryableErrorDueToAnotherOperation"),
)


class AzureDriver(ChangesMachine[Config]):
    """A machine that is one VM."""

    traits: ClassVar[Traits] = Traits(
        name="azure",
        options=OPTIONS,
        summary="an Azure virtual machine",
        needs="--azure-subscription-id; a login: --azure-client-id and -secret, az login, a device code",
        can_power=True,
        boot_timeout=600.0,
        firewall="the network security group",
    )
    config_class = Config
    provider = Provider("Azure", "machine", ERRORS, requests.USER_DATA)

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx, config)
        self.api = Api(config, ctx)
        self._gone: set[str] = set()  # names that this process has seen removed
        self._stage = 0  # of `prepare`, as far as this process has come
        self._looked_at = -math.inf  # when this process last asked how far Azure is with what `create` needs

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        driver = super().configure(ctx, values)
        driver.config.resource_name = driver.own_name(40)  # two of one name do not meet
        return driver

    def current_account(self) -> str:
        """Its subscription, whoever is logged in: Azure refuses to answer for one that one may not see."""
        return self.account_recorded()

    def preflight(self) -> None:
        preflight(self.api, self.config)

    # create

    def create(self) -> None:
        """Every name is known and saved beforehand, and asking again makes nothing twice.

        Raises InProgress while Azure is at what the interface needs, and then at the interface, which the machine
        needs.
        """
        interval = self.config.polling_interval
        if self.ctx.clock.now() - self._looked_at < interval:
            raise self.still_making(f"it is asked every {interval} s")
        self.config.removed = False
        self._gone.clear()
        super().create()

    def adopt_or_discard_earlier(self) -> bool:
        machine = self.find_machine()
        return machine is not None and not _was_refused(machine) and super().adopt_or_discard_earlier()

    def prepare(self) -> None:
        self.save()
        stages = (self._shared.ensure_group, self._ensure_network_resources, self._ensure_interface)
        while self._stage < len(stages):
            with self._transient_as_in_progress():
                unfinished = stages[self._stage]()
            if unfinished:
                raise self._making(unfinished)
            self._stage += 1

    @contextmanager
    def _transient_as_in_progress(self) -> Iterator[None]:
        """A refusal that passes is InProgress."""
        try:
            yield
        except errors.WrongState as error:
            if error.code not in PASSING_CODES:
                raise
            raise self._making([error.details]) from None

    def _making(self, lines: Sequence[str]) -> InProgress:
        self._looked_at = self.ctx.clock.now()
        return self.still_making("\n".join(lines))

    def _ensure_network_resources(self) -> list[str]:
        """Ask for all that the interface needs, together; return a line for each thing that Azure is still at."""
        unfinished = self._shared.ensure()
        config, asked = self.config, []
        if not config.nsg:
            rules = firewall.security_rules(config.needed_port_ranges(self.ctx.cluster_ports), config.allow_from)
            asked.append(self._ensure(SECURITY_GROUP, requests.security_group(config, self._tags(), rules)))
            config.nsg_id = lookup.id_of(asked[-1])
        if not config.no_public_ip:
            asked.append(self._ensure(ADDRESS, requests.address(config, self._tags())))
            config.public_ip_id = lookup.id_of(asked[-1])
        self.save()
        return unfinished + resources.in_progress(*asked)

    def _ensure_interface(self) -> list[str]:
        """Ask for the network interface; return a line while Azure is still at it."""
        found = self._ensure(INTERFACE, requests.interface(self.config, self._tags()))
        self.config.nic_id, self.config.private_ip = lookup.id_of(found), resources.private_address(found)
        self.save()
        return resources.in_progress(found)

    def _ensure(self, kind: ResourceType, body: Json) -> Json:
        return self.api.ensure(kind, self.config.resource_group, self._names[kind], body=body)

    def make_machine(self) -> None:
        key, own = self.public_key(), self._names
        self.config.create_requested = True
        self.save()
        hostname = names.hostname(self.ctx.name)
        with self._transient_as_in_progress():
            body = requests.machine(
                self.config, self._tags(), disk=own[DISK], hostname=hostname, key=key, user_data=self.user_data()
            )
            self.save_machine(self.api.put(MACHINE, *self._path, body=body))

    def save_machine(self, machine: Json) -> None:
        self.config.vm_id = lookup.id_of(machine)
        self.config.disk_name = _disk_name(machine) or self.config.disk_name
        self.machine_exists = True
        self.save()

    # queries and power

    def find_machine(self) -> Json | None:
        return self.api.get(MACHINE, *self._path)

    def is_terminating(self, machine: Json) -> bool:
        return resources.provisioning_state(machine) == "Deleting"

    def state_of(self, machine: Json) -> State:
        if self.is_terminating(machine):
            return State.STOPPING
        if _was_refused(machine):
            return State.ERROR
        power = resources.power_state(machine)
        return STATES.get(power, State.ERROR) if power else State.STARTING

    def endpoint_of(self, machine: Json) -> Endpoint | None:  # noqa: ARG002 (its interface has the addresses)
        config, own = self.config, self._names
        private = resources.private_address(self.api.get(INTERFACE, config.resource_group, own[INTERFACE]))
        if config.use_private_ip or config.no_public_ip:
            return self.endpoint_at(private, private)
        public = self.api.get(ADDRESS, config.resource_group, own[ADDRESS])
        return self.endpoint_at(str(resources.properties(public).get("ipAddress") or ""), private)

    def power_machine(self, machine: Json, verb: Verb) -> None:
        """STOP also ends what a machine costs by the hour (Azure calls it deallocated), KILL alone does not."""
        now = resources.power_state(machine)
        running = now in ("running", "starting")
        if verb is Verb.RESTART and running:
            self.api.power("restart", *self._path)
        elif verb in (Verb.START, Verb.RESTART) and not running:
            self.api.power("start", *self._path)
        elif verb is Verb.STOP and now not in ("deallocated", "deallocating"):
            self.api.power("deallocate", *self._path)
        elif verb is Verb.KILL and now not in ("stopped", "deallocated", "deallocating"):
            self.api.power("power_off", *self._path, skip_shutdown=True)

    def console_log(self) -> str:
        return self.api.console(*self._path) if self.config.create_requested else ""

    def explain_machine(self, machine: Json) -> str:
        if resources.provisioning_state(machine) == "Failed":
            return f"Azure says: {resources.failure_of(machine)}"
        parts, port = resources.id_parts(self.config.nsg_id), self.config.ssh_port
        group, name = parts.get("resourcegroups", ""), parts.get("networksecuritygroups", "")
        if resources.power_state(machine) != "running" or not (group and name):
            return ""
        present = resources.properties(self.api.get(SECURITY_GROUP, group, name)).get("securityRules") or []
        return explain(firewall.allowed(present, PortRange("tcp", port, port)), port, f"its security groups ({name})")

    # changes

    def disk_gigabytes(self) -> int:
        return self.config.disk_size

    def check_change(self, machine: Json, wanted: Config, names: Sequence[str]) -> None:
        if change.SIZE in names:
            change.check_size(self.api, machine, wanted)
        if change.DISK_SIZE in names:
            change.check_disk(self.api, machine, wanted)

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        interval = self.config.polling_interval
        if self.ctx.clock.now() - self._looked_at < interval:
            raise InProgress(f"Azure is changing the machine: it is asked every {interval} s")
        try:
            return super().apply_changes(names)
        except InProgress:
            self._looked_at = self.ctx.clock.now()
            raise

    def change_machine(self, machine: Json, name: str) -> bool:
        if name == change.DISK_SIZE:
            return change.grow_disk(self.api, machine, self._path, self.config.disk_size)
        return change.change_size(self.api, machine, self._path, self.config.size)

    # removal

    def remove_all(self) -> None:
        """Machine, interface, address, firewall and disk, then what no machine shares any more.

        Raises InProgress while Azure is still at one of them: the next depends on it.
        """
        self._stage = 0
        machine = None if self._names[MACHINE] in self._gone else self.find_machine()
        disk = _disk_name(machine or {})
        if disk not in ("", self._names[DISK]):  # of docker-machine's: Azure chose its name
            self.config.disk_name = disk
            self.save()
        if machine is not None and self.is_terminating(machine):  # deletions are throttled sooner than questions
            raise self.still_ending(f"{machine['name']} is being deleted", "the rest too")
        things = [*self._names.items(), *self._tagged()]
        for kinds in ((MACHINE,), (INTERFACE,)):  # what is below, and the network, can go when these are gone
            if unfinished := self._delete(things, kinds):
                raise self.still_ending("\n".join(unfinished), "the rest too")
        unfinished = self._delete(things, (ADDRESS, SECURITY_GROUP, DISK))
        gone = {name.lower() for _, name in things}
        unfinished += self._shared.delete_unused(() if unfinished else gone)
        if unfinished:
            raise self.still_ending("\n".join(unfinished), "the rest too")

    def _delete(self, things: Iterable[tuple[ResourceType | None, str]], kinds: Collection[ResourceType]) -> list[str]:
        """Delete those of the things that are of these kinds; return a line for each that is not gone yet."""
        unfinished = []
        for kind, name in things:
            if kind is None or kind not in kinds or name in self._gone:
                continue
            try:
                if self.api.delete(kind, self.config.resource_group, name):
                    self._gone.add(name)
                else:
                    unfinished.append(f"{name} is being deleted")
            except errors.InUse as error:
                unfinished.append(error.details)
        return unfinished

    def _tagged(self) -> list[tuple[ResourceType | None, str]]:
        """More of this machine's, whatever its name; None for a kind that the driver does not make."""
        if not self.ctx.machine_id:
            return []
        known = {name.lower() for name in self._names.values()}
        kinds = {kind.arm_type: kind for kind in self._names}
        listed = self.api.contents(self.config.resource_group, self.ctx.machine_id)
        found = [(kinds.get(str(thing.get("type")).lower()), str(thing["name"])) for thing in listed]
        return [(kind, name) for kind, name in found if name.lower() not in known]

    # questions

    def _tags(self) -> dict[str, str]:
        return requests.tags(self.config, self.ctx.name, self.ctx.machine_id)

    @property
    def _shared(self) -> SharedResources:
        return SharedResources(self.api, self.config, self.ctx, self.save)

    @property
    def _names(self) -> dict[ResourceType, str]:
        return requests.names(self.config, self.ctx.name)

    @property
    def _path(self) -> tuple[str, str]:
        """The machine's resource group and name."""
        return self.config.resource_group, self._names[MACHINE]


def _was_refused(machine: Json) -> bool:
    """Whether Azure gave up making the machine: it has failed, and was never switched on."""
    return resources.provisioning_state(machine) == "Failed" and not resources.power_state(machine)


def _disk_name(machine: Json) -> str:
    return str(resources.properties(machine, "storageProfile", "osDisk").get("name") or "")
