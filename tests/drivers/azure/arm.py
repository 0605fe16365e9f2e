"""A Resource Manager on loopback, plain http: state, long-running operations, tokens. A fault proxy puts TLS before it.

What takes time takes a number of questions instead: a resource is made at the first look, a machine runs from the
second look on; one that is being deleted is gone at the second question, everything else at the first. Whatever refers
to a resource that is not made yet is refused. Nothing happens because an operation is polled: a driver does not wait.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import uuid
from typing import Any

from tests.drivers.azure import catalogue, recorded, strict
from tests.drivers.azure.directory import TENANT, Directory
from tests.drivers.azure.resources import Account, Refused, Thing
from tests.drivers.loopback_server import LoopbackServer

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
METADATA = "/metadata/identity/oauth2/token"
CONSOLE = "[    0.000000] Linux version 6.8.0-azure\r\ndev login: "
POWER = {  # act -> on its way, there
    "start": ("starting", "running"),
    "restart": ("running", "running"),
    "poweroff": ("stopping", "stopped"),
    "deallocate": ("deallocating", "deallocated"),
}
NOT_FOUND = "The Resource '{}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
UNREGISTERED = (  # as recorded, in data/errors_by_code.json
    "The subscription is not registered to use namespace '{}'. See https://aka.ms/rps-not-found for how to register "
    "subscriptions."
)
AT_ONCE = ("availabilitySets",)

Answered = tuple[int, Any, dict[str, str]]


def update_model(kind: str) -> Any:
    """The published description of a change's body."""
    from azure.mgmt.compute import models as compute

    return {"virtualMachines": compute.VirtualMachineUpdate, "disks": compute.DiskUpdate}[kind]


def model(kind: str) -> Any:
    """The published description of a body."""
    from azure.mgmt.compute import models as compute
    from azure.mgmt.network import models as network

    return {
        "availabilitySets": compute.AvailabilitySet,
        "virtualMachines": compute.VirtualMachine,
        "virtualNetworks": network.VirtualNetwork,
        "subnets": network.Subnet,
        "networkSecurityGroups": network.NetworkSecurityGroup,
        "publicIPAddresses": network.PublicIPAddress,
        "networkInterfaces": network.NetworkInterface,
    }[kind]


class Arm(LoopbackServer):
    """Running until `stop`."""

    def __init__(self, *, quick: bool = False) -> None:
        self.quick = quick  # what is deleted is gone at once
        self.reset()
        super().__init__()

    def reset(self) -> None:
        """A subscription with nothing in it."""
        self.account = Account(SUBSCRIPTION)
        self.directory = Directory()
        self.operations: dict[str, Thing] = {}  # operation -> what its URL answers
        self.unregistered: set[str] = set()  # namespaces that the subscription has never used
        self.refusals: dict[str, Refused] = {}  # kind -> what its next PUT is told
        self.failures: dict[str, Refused] = {}  # kind -> why the next one fails after its PUT was accepted

    def listing(self) -> dict[str, str]:
        """Everything there is: id -> type."""
        with self.lock:
            return {thing_id: str(thing["type"]) for thing_id, thing in sorted(self.account.things.items())}

    # answering

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """What the real one would say."""
        status, found, more = self._answer(method, path, headers, body)
        raw = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        return status, raw, {"Content-Type": "application/json; charset=utf-8", **more}

    def _answer(self, method: str, target: str, headers: Any, body: bytes) -> Answered:
        base = f"https://{headers.get('Host', '')}"
        with self.lock:
            path, _, query = target.partition("?")
            asked = dict(urllib.parse.parse_qsl(query))
            metadata = self.directory.metadata(asked, headers) if path == METADATA else None
            about_login = metadata or self.directory.answer(method, target, body, base)
            if about_login is not None:
                return *about_login, {}
            if path == "/console":
                return 200, CONSOLE, {}
            token = str(headers.get("Authorization", "")).removeprefix("Bearer ")
            if token not in self.directory.tokens:
                return _no_token(base)
            try:
                return self._routed(method, path, asked, json.loads(body) if body else {}, base)
            except Refused as error:
                return error.status, error.body, {}
            except strict.Unknown as error:
                return 400, {"error": {"code": "InvalidRequestContent", "message": str(error)}}, {}

    def _routed(self, method: str, path: str, asked: dict[str, str], body: Thing, base: str) -> Answered:
        if "api-version" not in asked:
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        parts = path.strip("/").split("/")
        if parts[0] != "subscriptions" or parts[1] != SUBSCRIPTION:
            raise Refused(404, "SubscriptionNotFound", f"The subscription '{parts[1:2]}' could not be found.")
        rest = parts[2:]
        for namespace in self.unregistered.intersection(rest):
            raise Refused(409, "MissingSubscriptionRegistration", UNREGISTERED.format(namespace))
        if "operations" in rest:
            return self._polled(rest[-1])
        if rest[:1] == ["providers"]:
            return self._offered(rest[1:], asked)
        if rest[0].lower() != "resourcegroups":
            raise Refused(404, "NotFound", path)
        if len(rest) == 2:
            return self._group(method, path, body, base)
        group = self._find("/".join(["", *parts[:4]]), "ResourceGroupNotFound", f"Resource group '{rest[1]}'")
        if rest[2] == "resources":
            return self._contents(str(group["id"]), asked)
        return self._thing(method, str(group["id"]), rest[3:], asked, body=body, base=base)

    def _find(self, thing_id: str, code: str = "ResourceNotFound", what: str = "") -> Thing:
        found = self.account.things.get(thing_id.lower())
        if found is None:
            text = f"{what} could not be found." if what else NOT_FOUND.format(thing_id.partition("/providers/")[2])
            raise Refused(404, code, text)
        return found

    # resource groups

    def _group(self, method: str, path: str, body: Thing, base: str) -> Answered:
        name = path.rpartition("/")[2]
        group_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
        old = self.account.things.get(group_id.lower())
        if method == "PUT":
            if old is not None and "deleting" in old:
                raise Refused(409, "ResourceGroupBeingDeleted", f"The resource group '{name}' is being deleted.")
            made = recorded.body("rg_create_201")
            made |= {"id": group_id, "name": name, "location": body["location"], "tags": body.get("tags", {})}
            made["type"] = "Microsoft.Resources/resourceGroups"
            self.account.things[group_id.lower()] = made
            return 200 if old else 201, made, {}
        if old is not None:
            self._later(old)
        found = self._find(group_id, "ResourceGroupNotFound", f"Resource group '{name}'")
        if method == "GET":
            return 200, _shown(found), {}
        if self.quick:
            self.account.drop(found)
            return 200, "", {}
        found["properties"]["provisioningState"] = "Deleting"
        found.setdefault("deleting", 1)
        return 202, "", {"Location": f"{base}/subscriptions/{SUBSCRIPTION}/operationresults/none", "Retry-After": "0"}

    def _contents(self, group_id: str, asked: dict[str, str]) -> Answered:
        inside = [t for t in self.account.things.values() if str(t["id"]).lower().startswith(group_id.lower() + "/")]
        wanted = re.fullmatch(r"tagName eq '(.*)' and tagValue eq '(.*)'", asked.get("$filter", ""))
        if wanted:
            inside = [thing for thing in inside if thing.get("tags", {}).get(wanted[1]) == wanted[2]]
        shown = [{key: t[key] for key in ("id", "name", "type", "location", "tags")} for t in inside]
        return 200, {"value": shown}, {}

    # resources

    def _thing(self, method: str, group: str, rest: list[str], asked: Any, *, body: Thing, base: str) -> Answered:
        provider, kind, *names = rest
        where = f"{group}/providers/{provider}/{kind}"
        if not names:
            return (
                200,
                {"value": [_shown(thing) for thing in self.account.of(kind) if thing["id"].startswith(where)]},
                {},
            )
        names = ["/".join(names)] if kind == "galleries" else names
        thing_id = f"{where}/{names[0]}"
        if len(names) > 1 and names[1] == "subnets":
            return self._subnet(method, self._find(thing_id), f"{thing_id}/subnets/{names[2]}", body, base)
        if len(names) > 1:
            return self._act(names[1].lower(), self._find(thing_id), base)
        if method in ("PUT", "PATCH"):
            return (self._put if method == "PUT" else self._patch)(kind, thing_id, body, base)
        if method == "GET":
            found = self._find(thing_id)
            self._later(found)
            return 200, _shown(self._find(thing_id), asked.get("$expand", "")), {}
        return self._delete(thing_id, base)

    def _put(self, kind: str, thing_id: str, body: Thing, base: str) -> Answered:
        if kind in self.refusals:
            raise self.refusals.pop(kind)
        strict.check(model(kind), body)
        new = thing_id.lower() not in self.account.things
        made = self.account.make(kind, thing_id, body)
        self.account.things[thing_id.lower()] = made
        if kind in AT_ONCE:
            return 200, made, {}
        headers = self._long(base, thing_id)
        if kind in self.failures:
            self._failed(made, headers, self.failures.pop(kind))
        elif kind != "virtualMachines" and not self.quick:
            self._updating(made)
        return 201 if new else 200, _shown(made), headers

    def _patch(self, kind: str, thing_id: str, body: Thing, base: str) -> Answered:
        found = self._find(thing_id)
        strict.check(update_model(kind), body)
        self.account.change(kind, found, body["properties"])
        headers = self._long(base, thing_id)
        if kind in self.failures:
            self._failed(found, headers, self.failures.pop(kind))
        else:
            self._updating(found)
        return 200 if kind == "virtualMachines" else 202, _shown(found), headers

    def _failed(self, thing: Thing, headers: dict[str, str], failure: Refused) -> None:
        """It comes to nothing; its operation tells why."""
        thing["properties"]["provisioningState"] = "Failed"
        number = headers["Azure-AsyncOperation"].rpartition("/")[2].partition("?")[0]
        self.operations[number] = {"status": "Failed", **failure.body}

    def _updating(self, thing: Thing) -> None:
        """It is being made, or changed: with what is inside it, until somebody looks."""
        thing["making"] = True
        for one in (thing, *thing["properties"].get("subnets", [])):
            one["properties"]["provisioningState"] = "Updating"

    def _delete(self, thing_id: str, base: str) -> Answered:
        found = self.account.things.get(thing_id.lower())
        if found is None or found.get("deleting") == 0:
            if found is not None:
                self.account.drop(found)
            return 204, "", {}
        self.account.busy(found)
        if self.quick or str(found["type"]).endswith(AT_ONCE):
            self.account.drop(found)
            return 200, "", {}
        looks = 2 if str(found["type"]).endswith("virtualMachines") else 1
        found["deleting"] = found.get("deleting", looks) - 1
        found["properties"]["provisioningState"] = "Deleting"
        headers = self._long(base, thing_id)
        return 202, "", {**headers, "Location": headers["Azure-AsyncOperation"] + "&monitor=true"}

    def _subnet(self, method: str, network: Thing, subnet_id: str, body: Thing, base: str) -> Answered:
        import ipaddress

        subnets = network["properties"]["subnets"]
        subnets[:] = [s for s in subnets if s["id"].lower() != subnet_id.lower()] if method == "PUT" else subnets
        found = next((s for s in subnets if s["id"].lower() == subnet_id.lower()), None)
        if method == "PUT":
            strict.check(model("subnets"), body)
            space = [ipaddress.ip_network(text) for text in network["properties"]["addressSpace"]["addressPrefixes"]]
            subnets.append(self.account.subnet(subnet_id, body, space))
            if not self.quick:
                self._updating(network)
            return 201, subnets[-1], self._long(base, subnet_id)
        if found is None:
            raise Refused(404, "NotFound", f"Resource {subnet_id} not found.")
        if method == "DELETE":
            self.account.busy({**found, "type": "Microsoft.Network/virtualNetworks/subnets"})
            subnets.remove(found)
            return 202, "", self._long(base, subnet_id)
        return 200, found, {}

    def _act(self, act: str, machine: Thing, base: str) -> Answered:
        if act == "retrievebootdiagnosticsdata":
            return 200, {"serialConsoleLogBlobUri": f"{base}/console?sig=secret%3D"}, {}
        machine["way"] = list(POWER[act])
        headers = self._long(base, str(machine["id"]))
        return 202, "", {**headers, "Location": headers["Azure-AsyncOperation"] + "&monitor=true"}

    # time

    def _later(self, thing: Thing) -> None:
        """A look makes time pass."""
        if "deleting" in thing:
            if thing["deleting"] == 0:
                self.account.drop(thing)
            thing["deleting"] -= 1
        elif thing.pop("making", False):
            for one in (thing, *thing["properties"].get("subnets", [])):
                one["properties"]["provisioningState"] = "Succeeded"
        elif thing.get("way"):
            thing["power"] = thing["way"].pop(0)
        elif thing["properties"].get("provisioningState") == "Creating":
            if thing["power"]:
                thing["properties"]["provisioningState"] = "Succeeded"
            thing["power"] = "running" if thing["power"] else "starting"

    def _long(self, base: str, thing_id: str) -> dict[str, str]:
        provider = thing_id.partition("/providers/")[2].partition("/")[0]
        place = f"{base}/subscriptions/{SUBSCRIPTION}/providers/{provider}/locations/{catalogue.LOCATION}/operations"
        signed = "&t=638900000000000000&c=" + "MII" * 200 + "&s=signature"
        number = str(uuid.uuid4())
        name = "compute" if provider == "Microsoft.Compute" else "network"
        self.operations[number] = recorded.load(f"{name}_operation_succeeded")["body"]
        return {"Azure-AsyncOperation": f"{place}/{number}?api-version=2026-03-01{signed}", "Retry-After": "0"}

    def _polled(self, number: str) -> Answered:
        if number not in self.operations:
            raise Refused(404, "NotFound", f"The operation {number} was not found.")
        return 200, {**self.operations[number], "name": number}, {}

    # the catalogue

    def _offered(self, rest: list[str], asked: dict[str, str]) -> Answered:
        provider, *more = rest
        if more == ["skus"]:
            here = f"location eq '{catalogue.LOCATION}'" == asked.get("$filter")
            return 200, {"value": catalogue.SKUS if here else []}, {}
        if more[0] != "locations" or more[1] != catalogue.LOCATION:
            raise Refused(400, "NoRegisteredProviderForLocation", f"No registered provider for {more}.")
        if more[2] == "usages":
            return 200, {"value": catalogue.usages(provider)}, {}
        if more[2].lower() == "checkdnsnameavailability":
            return 200, {"available": asked["domainNameLabel"] not in self.account.labels()}, {}
        if more[2].lower().endswith("galleries"):
            path = "/".join(more[2:])
            found = catalogue.GALLERIES.get(path.lower())
            if found is None:
                raise Refused(404, "ResourceNotFound", f"The resource {path} was not found.")
            return 200, {"name": more[-1], "location": more[1], "properties": found}, {}
        by_kind = dict(zip(more[2::2], more[3::2], strict=False))
        image = catalogue.IMAGES.get(f"{by_kind['publishers']}:{by_kind['offers']}:{by_kind['skus']}".lower())
        if image is None:
            raise Refused(404, "NotFound", "Artifact: VMImage was not found.")
        version = by_kind.get("versions")
        path = f"/Subscriptions/{SUBSCRIPTION}/Providers/{'/'.join(rest)}"
        if version is None:
            return 200, [{"location": more[1], "name": v, "id": f"{path}/{v}"} for v in image["versions"]], {}
        if version not in image["versions"]:
            raise Refused(404, "NotFound", f"Artifact: VMImage {version} was not found.")
        return 200, {"location": more[1], "name": version, "id": path, "properties": image}, {}


def _shown(thing: Thing, expand: str = "") -> Thing:
    """Without what only the fake knows."""
    found: Thing = json.loads(
        json.dumps({k: v for k, v in thing.items() if k not in ("power", "way", "deleting", "making")})
    )
    found.pop("customData", None)
    if expand.lower() == "instanceview":
        view = recorded.load("vm_get_expand_instanceView_200")["body"]["properties"]["instanceView"]
        state = str(found["properties"]["provisioningState"])
        power = [{"code": f"PowerState/{thing['power']}", "level": "Info"}] if thing["power"] else []
        view["statuses"] = [{"code": f"ProvisioningState/{state.lower()}", "level": "Info"}, *power]
        if thing.get("failure"):
            view["statuses"][0] |= {"code": "ProvisioningState/failed/X", "message": thing["failure"]}
        found["properties"]["instanceView"] = view
    return found


def _no_token(base: str) -> Answered:
    said = f'Bearer authorization_uri="{base}/{TENANT}", error="invalid_token", error_description="no token"'
    body = {"error": {"code": "AuthenticationFailed", "message": "Authentication failed. The token is missing."}}
    return 401, body, {"WWW-Authenticate": said}
