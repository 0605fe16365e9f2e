"""Driver azure: a virtual machine with its disk, network interface, address and firewall, in what machines share."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

from machine import names
from machine.drivers.azure import client, firewall, requests, shared
from machine.drivers.azure import config as settings
from machine.drivers.azure.client import Api, provisioning_state
from machine.drivers.azure.errors import ERRORS
from machine.drivers.azure.options import OPTIONS
from machine.drivers.azure.preflight import preflight
from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.cloud import errors, user_data
from machine.errors import DriverError
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
KINDS = {  # ARM's types -> a kind of requests.names
    "microsoft.compute/virtualmachines": "vm",
    "microsoft.network/networkinterfaces": "nic",
    "microsoft.network/publicipaddresses": "ip",
    "microsoft.network/networksecuritygroups": "nsg",
    "microsoft.compute/disks": "disk",
}
RESOURCES = {  # the same kinds -> what the client calls them
    "vm": client.MACHINE,
    "nic": client.INTERFACE,
    "ip": client.ADDRESS,
    "nsg": client.SECURITY_GROUP,
    "disk": client.DISK,
}
PASSING_CODES = (  # refusals of what refers to something that Azure is still at, even if it has said that it is done
    *("AnotherOperationInProgress", "ReferencedResourceNotProvisioned"),
    *("RetryableError", "RetryableErrorDueToAnotherOperation"),
)
DEPENDENTS = (("vm",), ("nic",), ("ip", "nsg", "disk"))  # what has to be gone before the next can go


class AzureDriver(Driver):
    """A machine that is one VM. `data` is its Driver object; unknown keys stay in it."""

    traits: ClassVar[Traits] = Traits(
        name="azure",
        options=OPTIONS,
        summary="an Azure virtual machine",
        needs="--azure-subscription-id; a login: --azure-client-id and -secret, az login, a device code",
        can_power=True,
        boot_timeout=600.0,
        firewall="the network security group",
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data
        self.api = Api(data, ctx)
        self._host_key = ("", "")
        self._gone: set[str] = set()  # names that this process has seen removed
        self._looked_at = -math.inf  # when this process last asked how far Azure is with what `create` needs

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        data = settings.from_values(values)
        data["ResourceName"] = f"{ctx.name[:40]}-{ctx.machine_id[:8]}"  # two of one name do not meet
        return cls(ctx, data)

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, dict(data))

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def give_host_key(self, private: str, public: str) -> None:
        self._host_key = (private, public)

    def account_recorded(self) -> str:
        """Its subscription."""
        return str(self.data.get("SubscriptionID") or "")

    def account_asked(self) -> str:
        """The same, whoever is logged in: Azure refuses to answer for a subscription that one may not see."""
        return self.account_recorded()

    # before

    def check(self) -> None:
        with preflight_errors():
            self._user_data()
            preflight(self.api, self.data)

    def _user_data(self) -> str:
        """All that cloud-init is told; BadUserData when the user's file cannot be used."""
        path = str(self.data.get("CustomDataFile") or "")
        return user_data.for_create(path, self._host_key, self.ctx.user_data, requests.USER_DATA, ERRORS)

    # create

    def create(self) -> None:
        """Every name is known and saved beforehand, and asking again makes nothing twice.

        InProgress while Azure is at what the interface needs, and then at the interface, which the machine needs.
        """
        self.data["Removed"] = False
        self._gone.clear()
        interval = 2 if self.data.get("PollingInterval") is None else int(self.data["PollingInterval"])
        if self.ctx.clock.now() - self._looked_at < interval:
            raise shared.in_progress(self.ctx, "making", [f"it is asked every {interval} s"])
        if self.data.get("Asked") and self._adopt():
            return
        if not self.data.get("Surveyed"):
            preflight(self.api, self.data)
        self.ctx.save(self)
        try:
            going_on = shared.ensure(self.api, self.data, self.ctx, self._save) + self._ensure_front()
            going_on = going_on or self._ensure_interface()
            if not going_on:
                self._make_machine()
        except errors.WrongState as error:
            if error.code not in PASSING_CODES:
                raise
            going_on = [error.details]
        if going_on:
            self._looked_at = self.ctx.clock.now()
            raise shared.in_progress(self.ctx, "making", going_on)

    def _adopt(self) -> bool:
        """Whether an earlier try made the machine already; it is ours then, and running."""
        machine = self._machine()
        if machine is None or (provisioning_state(machine) == "Failed" and not _power(machine)):
            return False
        self._keep(machine)
        if STATES.get(_power(machine)) is State.STOPPED:
            self.power(Verb.START)
        return True

    def _ensure_front(self) -> list[str]:
        """Ask for the machine's own security group and address; return a line for each that Azure is still at."""
        group, own, carried = self._group, self._names, self._tags()
        asked = []
        if not self.data.get("NSG"):
            wanted = firewall.openings(22, self._engine_port, self.ctx.swarm_ports, self.data.get("OpenPorts") or [])
            rules = firewall.rules(wanted, self.data.get("AllowFrom") or [])
            body = requests.security_group(self.data, carried, rules)
            asked.append(self.api.ensure(client.SECURITY_GROUP, group, own["nsg"], body=body))
            self.data["NSGID"] = asked[-1]["id"]
        if not self.data.get("NoPublicIP"):
            body = requests.address(self.data, carried)
            asked.append(self.api.ensure(client.ADDRESS, group, own["ip"], body=body))
            self.data["PublicIPID"] = asked[-1]["id"]
        self._save()
        return client.in_progress(*asked)

    def _ensure_interface(self) -> list[str]:
        """Ask for the network interface; return a line while Azure is still at it."""
        body = requests.interface(self.data, self._tags())
        found = self.api.ensure(client.INTERFACE, self._group, self._names["nic"], body=body)
        self.data["NICID"], self.data["PrivateIPAddress"] = found["id"], _inner_address(found)
        self._save()
        return client.in_progress(found)

    def _make_machine(self) -> None:
        if not self.ctx.public_key:
            raise DriverError("there is no public key to give to Azure", resolution=f"machine rm {self.ctx.name}")
        self.data["Asked"] = True
        self._save()
        own, hostname = self._names, names.hostname(self.ctx.name)
        body = requests.machine(
            self.data,
            self._tags(),
            disk=own["disk"],
            hostname=hostname,
            key=self.ctx.public_key.strip(),
            user_data=self._user_data(),
        )
        self._keep(self.api.put(client.MACHINE, self._group, own["vm"], body=body))

    def _keep(self, machine: dict[str, Any]) -> None:
        self.data["VMID"] = machine["id"]
        disk = _of(machine, "storageProfile", "osDisk")
        if disk.get("name"):
            self.data["DiskName"] = disk["name"]
        self._save()

    # life

    def state(self) -> State:
        machine = self._machine()
        if machine is None:
            return State.MISSING
        doing, power = provisioning_state(machine), _power(machine)
        if doing == "Deleting":
            return State.STOPPING
        if doing == "Failed" and not power:
            return State.ERROR
        return STATES.get(power, State.ERROR) if power else State.STARTING

    def endpoint(self) -> Endpoint | None:
        own = self._names
        interface = self.api.get(client.INTERFACE, self._group, own["nic"])
        if interface is None:
            return None
        private = address = _inner_address(interface)
        if not (self.data.get("UsePrivateIP") or self.data.get("NoPublicIP")):
            found = self.api.get(client.ADDRESS, self._group, own["ip"])
            address = str(((found or {}).get("properties") or {}).get("ipAddress") or "")
        if not address:
            return None
        return Endpoint(
            address=address,
            ssh_user=str(self.data.get("SSHUser") or "docker-user"),
            ssh_port=int(self.data.get("SSHPort") or 22),
            engine_port=self._engine_port,
            peer_address=private,
            listen_port=self._engine_port,
        )

    def power(self, verb: Verb) -> None:
        """STOP also ends what a machine costs by the hour (Azure calls it deallocated), KILL alone does not."""
        machine = self._machine()
        if machine is None or provisioning_state(machine) == "Deleting":
            raise errors.MachineGone(
                f"Azure has no machine for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        group, vm, now = self._group, self._names["vm"], _power(machine)
        if verb is Verb.START and now not in ("running", "starting"):
            self.api.power("start", group, vm)
        elif verb is Verb.STOP and now not in ("deallocated", "deallocating"):
            self.api.power("deallocate", group, vm)
        elif verb is Verb.KILL and now not in ("stopped", "deallocated", "deallocating"):
            self.api.power("power_off", group, vm, skip_shutdown=True)
        elif verb is Verb.RESTART:
            self.api.power("restart" if now in ("running", "starting") else "start", group, vm)

    def console_log(self) -> str:
        return self.api.console(self._group, self._names["vm"]) if self.data.get("Asked") else ""

    def explain(self) -> str:
        """Why it may not come up or not be reachable, as far as Azure can tell."""
        machine = self._machine()
        if machine is None:
            return ""
        if provisioning_state(machine) == "Failed":
            return f"Azure says: {_reason(machine)}"
        return self._explain_firewall() if _power(machine) == "running" else ""

    def _explain_firewall(self) -> str:
        nsg = str(self.data.get("NSGID") or "")
        if not nsg:
            return ""
        group, name = nsg.split("/")[4], nsg.rpartition("/")[2]
        found = self.api.get(client.SECURITY_GROUP, group, name)
        allowed = firewall.sources(((found or {}).get("properties") or {}).get("securityRules") or [], 22)
        if not allowed:
            return f"no rule of its security group {name} lets port 22 in"
        if firewall.ANYWHERE.isdisjoint(source.lower() for source in allowed):
            return f"its security group {name} lets port 22 in from {', '.join(allowed)} only"
        return ""

    # the end

    def remove(self) -> None:
        """Machine, interface, address, firewall and disk, then what no machine shares any more.

        InProgress while Azure is still at one of them: the next depends on it.
        """
        own = self._names
        machine = None if own["vm"] in self._gone else self._machine()
        if machine is None:
            self._gone.add(own["vm"])
        else:
            disk = _of(machine, "storageProfile", "osDisk").get("name")
            if disk and disk != own["disk"]:  # a machine of docker-machine's: Azure chose the name of its disk
                self._keep(machine)
                own = self._names
            if provisioning_state(machine) == "Deleting":
                raise shared.in_progress(self.ctx, "removing", [f"the machine {own['vm']} is being deleted"])
        for kinds in DEPENDENTS:
            self._delete([(kind, own[kind]) for kind in kinds])
        found = [(KINDS.get(str(thing.get("type")).lower(), ""), str(thing["name"])) for thing in self._tagged()]
        for kinds in DEPENDENTS:
            self._delete([(kind, name) for kind, name in found if kind in kinds])
        gone = {name.lower() for name in (*own.values(), *(name for _, name in found))}
        if going_on := shared.delete_unused(self.api, self.data, self.ctx, self._save, gone):
            raise shared.in_progress(self.ctx, "removing", going_on)

    def _delete(self, things: list[tuple[str, str]]) -> None:
        left = []
        for kind, name in things:
            if name in self._gone:
                continue
            try:
                if self.api.delete(RESOURCES[kind], self._group, name):
                    self._gone.add(name)
                else:
                    left.append(f"{name} is being deleted")
            except errors.InUse as error:
                left.append(error.details)
        if left:
            raise shared.in_progress(self.ctx, "removing", left)

    def _tagged(self) -> list[dict[str, Any]]:
        """More of this machine's, whatever its name."""
        own = {name.lower() for name in self._names.values()}
        found = self.api.contents(self._group, self.ctx.machine_id) if self.ctx.machine_id else []
        return [thing for thing in found if str(thing.get("name")).lower() not in own]

    # questions

    def _machine(self) -> dict[str, Any] | None:
        return self.api.get(client.MACHINE, self._group, self._names["vm"])

    def _save(self) -> None:
        self.ctx.save(self)

    def _tags(self) -> dict[str, str]:
        return requests.tags(self.data, self.ctx.name, self.ctx.machine_id)

    @property
    def _names(self) -> dict[str, str]:
        return requests.names(self.data, self.ctx.name)

    @property
    def _group(self) -> str:
        return str(self.data["ResourceGroup"])

    @property
    def _engine_port(self) -> int:
        return int(self.data.get("DockerPort") or 2376)


def _of(machine: dict[str, Any], *keys: str) -> dict[str, Any]:
    found: dict[str, Any] = machine.get("properties") or {}
    for key in keys:
        found = found.get(key) or {}
    return found


def _statuses(machine: dict[str, Any]) -> list[dict[str, Any]]:
    return list(_of(machine, "instanceView").get("statuses") or [])


def _power(machine: dict[str, Any]) -> str:
    codes = [str(status.get("code") or "") for status in _statuses(machine)]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "").lower()


def _reason(machine: dict[str, Any]) -> str:
    """What went wrong, in Azure's words."""
    for status in _statuses(machine):
        if str(status.get("code", "")).lower().startswith("provisioningstate/failed"):
            return str(status.get("message") or status.get("code"))
    return "its provisioning failed"


def _inner_address(interface: dict[str, Any]) -> str:
    for config in (interface.get("properties") or {}).get("ipConfigurations") or []:
        address = (config.get("properties") or {}).get("privateIPAddress")
        if address:
            return str(address)
    return ""
