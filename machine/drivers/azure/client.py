"""One function per call to Azure's Resource Manager, by its SDK. Nothing of the SDK leaves this module: its errors
become ours, its answers are the REST API's own JSON.

Importing the SDK and building its clients costs a second or two, so it is done at the first call to each. Throttled
and failed calls are repeated by the SDK itself, with growing pauses, as often as the record says.

An exception to "no driver waits": what takes 2 to 10 seconds to make and is needed by the very next call (network,
subnet, security group, address, interface; the removal of what is shared) is followed by the SDK's poller (`_made`,
`_ended`), which knows the protocols of ARM's operations and their Retry-After. `Driver.create` has no way to be called
again for the next of four such steps, and a PUT that refers to something unfinished is refused. What takes longer, the
machine and its removal, is left to the caller (`polling=False`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from machine.drivers.azure import config, login
from machine.drivers.azure.errors import ERRORS, translate
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.errors import PreflightFailed

CONNECT_SECONDS = 10
MADE_SECONDS = 600.0  # for one network, address, ...; they take 2 to 10
GONE = (200, 204)  # a DELETE's answer when there is nothing more to wait for


class Api:
    """Azure as one subscription sees it; `data` is a Driver object, read at the first call. `ctx` is for logging in."""

    def __init__(self, data: dict[str, Any], ctx: DriverContext) -> None:
        self.data = data
        self.ctx = ctx
        self._credential: Any = None
        self._clients: dict[str, Any] = {}

    # what there is

    def sizes(self) -> list[dict[str, Any]]:
        """ResourceSkus of the region: VM sizes, disks, availability sets. Thousands, in one long answer."""
        wanted = f"location eq '{self.data['Location']}'"
        return self._list("list sizes", lambda: self._compute().resource_skus.list(filter=wanted))

    def usages(self) -> list[dict[str, Any]]:
        """Limits of the subscription in the region: processors, and addresses."""
        place = self.data["Location"]
        return [
            *self._list("list compute quotas", lambda: self._compute().usage.list(place)),
            *self._list("list network quotas", lambda: self._network().usages.list(place)),
        ]

    def image_versions(self, publisher: str, offer: str, sku: str) -> list[str]:
        """Names of an image's versions, [] if there is no such image."""
        images = self._compute().virtual_machine_images
        try:
            found = self._ask("list images", lambda: images.list(self.data["Location"], publisher, offer, sku))
        except (errors.NotFound, errors.BadImage):
            return []
        return [str(image.get("name")) for image in found]

    def image(self, publisher: str, offer: str, sku: str, version: str) -> dict[str, Any] | None:
        """VirtualMachineImage, None if there is none."""
        images = self._compute().virtual_machine_images
        return self._get("image", lambda: images.get(self.data["Location"], publisher, offer, sku, version))

    def own_image(self, group: str, name: str) -> dict[str, Any] | None:
        """A managed image of the subscription's own."""
        return self._get("image", lambda: self._compute().images.get(group, name))

    def gallery_image(self, group: str, gallery: str, name: str) -> dict[str, Any] | None:
        """An image definition in a gallery of the subscription's own."""
        return self._get("gallery image", lambda: self._compute().gallery_images.get(group, gallery, name))

    def shared_image(self, gallery: str, name: str) -> dict[str, Any] | None:
        """An image definition in a gallery that is shared with the subscription, as its region has it."""
        images, place = self._compute().shared_gallery_images, self.data["Location"]
        return self._get("shared image", lambda: images.get(place, gallery, name), key="name")

    def community_image(self, gallery: str, name: str) -> dict[str, Any] | None:
        """An image definition in a gallery that is everybody's, as the region has it."""
        images, place = self._compute().community_gallery_images, self.data["Location"]
        return self._get("community image", lambda: images.get(place, gallery, name), key="name")

    def group(self, name: str) -> dict[str, Any] | None:
        """A resource group."""
        return self._get("resource group", lambda: self._resources().resource_groups.get(name))

    def contents(self, group: str, machine_id: str = "") -> list[dict[str, Any]]:
        """Everything in a resource group (of one machine, by its tag), as ARM's own index has it: seconds old."""
        wanted = {"filter": f"tagName eq 'machine-id' and tagValue eq '{machine_id}'"} if machine_id else {}
        listing = self._resources().resources.list_by_resource_group
        try:
            return self._list("list resources", lambda: listing(group, **wanted))
        except errors.NotFound:
            return []

    def machines(self, group: str) -> list[dict[str, Any]]:
        """VirtualMachines of a group, asked of those who make them."""
        return self._list("list machines", lambda: self._compute().virtual_machines.list(group))

    def networks(self, group: str) -> list[dict[str, Any]]:
        """VirtualNetworks of a group, asked of those who make them."""
        return self._list("list networks", lambda: self._network().virtual_networks.list(group))

    def network(self, group: str, name: str) -> dict[str, Any] | None:
        """VirtualNetwork with its subnets."""
        return self._get("network", lambda: self._network().virtual_networks.get(group, name))

    def availability_set(self, group: str, name: str) -> dict[str, Any] | None:
        """AvailabilitySet."""
        return self._get("availability set", lambda: self._compute().availability_sets.get(group, name))

    def security_group(self, group: str, name: str) -> dict[str, Any] | None:
        """NetworkSecurityGroup."""
        return self._get("security group", lambda: self._network().network_security_groups.get(group, name))

    def interface(self, group: str, name: str) -> dict[str, Any] | None:
        """NetworkInterface."""
        return self._get("network interface", lambda: self._network().network_interfaces.get(group, name))

    def address(self, group: str, name: str) -> dict[str, Any] | None:
        """PublicIPAddress."""
        return self._get("public address", lambda: self._network().public_ip_addresses.get(group, name))

    def label_is_free(self, label: str) -> bool:
        """Whether a DNS label can be had in the region."""
        client, place = self._network(), self.data["Location"]
        found = self._ask(
            "check the DNS label", lambda: client.check_dns_name_availability(place, domain_name_label=label)
        )
        return bool(found.get("available"))

    def machine(self, group: str, name: str) -> dict[str, Any] | None:
        """VirtualMachine with its instanceView."""
        machines = self._compute().virtual_machines
        return self._get("machine", lambda: machines.get(group, name, expand="instanceView"))

    def console(self, group: str, name: str) -> str:
        """What the machine wrote to its serial port, "" when nothing is kept."""
        machines = self._compute().virtual_machines
        found = self._ask("fetch the console", lambda: machines.retrieve_boot_diagnostics_data(group, name))
        address = str(found.get("serialConsoleLogBlobUri") or "")
        return self._fetch(address) if address.startswith("https://") else ""

    # what is made

    def put_group(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a resource group; at once."""
        groups = self._resources().resource_groups
        return self._answer("make the resource group", lambda: groups.create_or_update(name, dict(body)))

    def put_availability_set(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an availability set; at once."""
        sets = self._compute().availability_sets
        return self._answer("make the availability set", lambda: sets.create_or_update(group, name, dict(body)))

    def put_network(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a virtual network."""
        networks = self._network().virtual_networks
        return self._made("make the network", lambda: networks.begin_create_or_update(group, name, dict(body)))

    def put_subnet(self, group: str, network: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a subnet in a network that is there."""
        nets = self._network().subnets
        return self._made("make the subnet", lambda: nets.begin_create_or_update(group, network, name, dict(body)))

    def put_security_group(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a firewall."""
        nsgs = self._network().network_security_groups
        return self._made("make the security group", lambda: nsgs.begin_create_or_update(group, name, dict(body)))

    def put_address(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a public address."""
        ips = self._network().public_ip_addresses
        return self._made("make the public address", lambda: ips.begin_create_or_update(group, name, dict(body)))

    def put_interface(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a network interface."""
        nics = self._network().network_interfaces
        return self._made("make the network interface", lambda: nics.begin_create_or_update(group, name, dict(body)))

    def put_machine(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a virtual machine; it is on its way afterwards."""
        vms = self._compute().virtual_machines
        return self._answer(
            "make the machine",
            lambda: vms.begin_create_or_update(group, name, dict(body), polling=False).result(),
        )

    # what is done with it

    def power(self, verb: str, group: str, name: str, **how: Any) -> None:
        """start, deallocate, power_off or restart; it is on its way afterwards."""
        act = getattr(self._compute().virtual_machines, f"begin_{verb}")
        self._call(f"{verb.replace('_', ' ')} the machine", lambda: act(group, name, polling=False, **how))

    def delete(self, kind: str, group: str, name: str) -> bool:
        """Delete a machine's own thing (a kind of requests.names). True when it is gone, False while it is going.

        InUse when something has it. Repeating it is asking.
        """
        if kind in ("vm", "disk"):
            client = self._compute()
            things = client.virtual_machines if kind == "vm" else client.disks
        else:
            client = self._network()
            things = {
                "nic": client.network_interfaces,
                "ip": client.public_ip_addresses,
                "nsg": client.network_security_groups,
            }[kind]
        how = {"force_deletion": True} if kind == "vm" else {}

        def asked() -> Any:
            return things.begin_delete(group, name, polling=False, cls=_status, **how).result()

        try:
            return bool(self._call(f"delete {name}", asked) in GONE)
        except errors.NotFound:
            return True
        except errors.WrongState:
            return False

    def delete_availability_set(self, group: str, name: str) -> None:
        """Delete it; absent is success, InUse while it has machines."""
        self._ignore_absent(
            "delete the availability set", lambda: self._compute().availability_sets.delete(group, name)
        )

    def delete_network(self, group: str, name: str) -> None:
        """Delete it, until it is gone; absent is success, InUse while something is in it."""
        networks = self._network().virtual_networks
        self._ignore_absent("delete the network", lambda: _wait_for_poller(networks.begin_delete(group, name)))

    def delete_subnet(self, group: str, network: str, name: str) -> None:
        """Likewise."""
        nets = self._network().subnets
        self._ignore_absent("delete the subnet", lambda: _wait_for_poller(nets.begin_delete(group, network, name)))

    def delete_group(self, name: str) -> None:
        """Delete it and everything in it, until it is gone."""
        groups = self._resources().resource_groups
        self._ignore_absent("delete the resource group", lambda: _wait_for_poller(groups.begin_delete(name)))

    # how it is asked

    def _compute(self) -> Any:
        return self._client("compute", lambda: _sdk("azure.mgmt.compute").ComputeManagementClient)

    def _network(self) -> Any:
        return self._client("network", lambda: _sdk("azure.mgmt.network").NetworkManagementClient)

    def _resources(self) -> Any:
        return self._client("resources", lambda: _sdk("azure.mgmt.resource.resources").ResourceManagementClient)

    def _client(self, name: str, cls: Callable[[], Any]) -> Any:
        if name not in self._clients:
            data = self.data
            build = cls()
            interval = 2 if data.get("PollingInterval") is None else int(data["PollingInterval"])
            with _translated("log in"):
                self._clients[name] = build(
                    self._account(),
                    str(data["SubscriptionID"]),
                    base_url=config.endpoint(data),
                    credential_scopes=[config.scope(data)],
                    polling_interval=interval,
                    **self._transport(),
                )
        return self._clients[name]

    def _transport(self) -> dict[str, Any]:
        data = self.data
        repeats = 5 if data.get("RetryCount") is None else int(data["RetryCount"])
        kinds = ("total", "connect", "read", "status")
        return {
            **{f"retry_{kind}": repeats for kind in kinds},
            "retry_backoff_factor": 0.8,
            "connection_timeout": min(CONNECT_SECONDS, int(data.get("ApiTimeout") or 60)),
            "read_timeout": int(data.get("ApiTimeout") or 60),
            "user_agent": "machine",
            **({"connection_verify": data["CaCert"]} if data.get("CaCert") else {}),
        }

    def _account(self) -> Any:
        if self._credential is None:
            _sdk("azure.identity")
            if login.needs_tenant(self.data):
                self.data["TenantID"] = self._tenant()
            self._credential = login.credential(self.data, self._transport(), self.ctx)
        return self._credential

    def _tenant(self) -> str:
        """The subscription's directory: ARM names it to whoever asks without a token."""
        address = f"{config.endpoint(self.data)}/subscriptions/{self.data['SubscriptionID']}?api-version=2022-12-01"
        answer = self._plain(address)
        found = str(answer.headers.get("WWW-Authenticate") or "")
        _, _, rest = found.partition("authorization_uri=")
        tenant = rest.strip('"').partition('"')[0].rstrip("/").rpartition("/")[2]
        if not tenant:
            raise translate(
                "SubscriptionNotFound", f"Azure names no directory for it (HTTP status {answer.status_code})",
                answer.status_code, "the subscription",
            )  # fmt: skip
        return tenant

    def _fetch(self, address: str) -> str:
        with _translated("fetch the console"):
            answer = self._plain(address)
            return str(answer.text()) if answer.status_code == 200 else ""

    def _plain(self, address: str) -> Any:
        """The answer to a GET without a token."""
        core = _sdk("azure.core")
        policies, rest = _sdk("azure.core.pipeline.policies"), _sdk("azure.core.rest")
        options = self._transport()
        with (
            _translated("ask"),
            core.PipelineClient(address, policies=[policies.RetryPolicy(**options)], **options) as client,
        ):
            answer = client.send_request(rest.HttpRequest("GET", address))
            answer.read()
            return answer

    def _call(self, doing: str, call: Callable[[], Any]) -> Any:
        with _translated(doing):
            return call()

    def _ask(self, doing: str, call: Callable[[], Any]) -> Any:
        """The answer as JSON; ServiceBroken when it is none, as when something else than Azure answered."""
        with _translated(doing):
            found = call()
            if isinstance(found, list):
                return [item.as_dict() for item in found]
            return found.as_dict() if found is not None else {}

    def _answer(self, doing: str, call: Callable[[], Any], key: str = "id") -> dict[str, Any]:
        found: dict[str, Any] = self._ask(doing, call)
        if not found.get(key):
            raise ERRORS.error(errors.ServiceBroken, f"the answer to {doing} makes no sense", f"it has no {key}")
        return found

    def _made(self, doing: str, call: Callable[[], Any]) -> dict[str, Any]:
        return self._answer(doing, lambda: _wait_for_poller(call()))

    def _get(self, what: str, call: Callable[[], Any], key: str = "id") -> dict[str, Any] | None:
        try:
            return self._answer(f"look at the {what}", call, key)
        except (errors.NotFound, errors.BadImage):
            return None

    def _list(self, doing: str, call: Callable[[], Any]) -> list[dict[str, Any]]:
        with _translated(doing):
            return [item.as_dict() for item in call()]

    def _ignore_absent(self, doing: str, call: Callable[[], Any]) -> None:
        try:
            self._call(doing, call)
        except errors.NotFound:
            return


def _translated(doing: str) -> AbstractContextManager[None]:
    """A `with` block out of which come errors of ours instead of the SDK's; `doing` names the call."""
    return errors.sdk_errors(lambda error: _convert(error, doing))


def _convert(error: Exception, doing: str) -> errors.CloudError | None:
    from azure.core import exceptions as sdk

    if isinstance(error, sdk.ClientAuthenticationError) and getattr(error, "response", None) is None:
        return _no_login(error)
    if isinstance(error, sdk.HttpResponseError):
        return _refused(error, doing)
    nonsense = (ValueError, LookupError, TypeError, AttributeError)  # how the SDK takes an answer that is none of ARM's
    table: tuple[tuple[Any, errors.Kind, str], ...] = (
        (sdk.ServiceRequestTimeoutError, errors.ApiTimeout, f"Azure did not answer in time: {doing}"),
        (sdk.ServiceResponseTimeoutError, errors.ApiTimeout, f"Azure did not answer in time: {doing}"),
        (sdk.ServiceRequestError, errors.Unreachable, "Azure cannot be reached"),
        (sdk.ServiceResponseError, errors.Unreachable, "Azure cannot be reached"),
        (sdk.AzureError, errors.ServiceBroken, f"Azure failed to {doing}"),
        (nonsense, errors.ServiceBroken, f"Azure's answer to {doing} makes no sense"),
    )
    for kinds, kind, brief in table:
        if isinstance(error, kinds):
            return ERRORS.error(kind, brief, str(error))
    return None


def _refused(error: Any, doing: str) -> errors.CloudError:
    """The innermost code that says something: ARM wraps errors of those who do the work."""
    inner, status = error.error, int(error.status_code or 0)
    code, text = str(getattr(inner, "code", "") or ""), str(getattr(inner, "message", "") or "")
    for detail in getattr(inner, "details", None) or []:
        if code in ("", "DeploymentFailed", "BadRequest", "ResourceOperationFailure") and detail.code:
            code, text = str(detail.code), str(detail.message or text)
    if not code and status in (200, 201, 202):
        return ERRORS.error(errors.ServiceBroken, f"Azure's answer to {doing} makes no sense", str(error.message))
    return translate(code, text or str(error.reason or ""), status, doing)


def _no_login(error: Any) -> errors.CloudError:
    text = str(getattr(error, "message", "") or error)
    cause = error.__cause__ or error.__context__
    from azure.core import exceptions as sdk

    if isinstance(cause, sdk.ServiceRequestError | sdk.ServiceResponseError):
        return ERRORS.error(errors.Unreachable, "Azure cannot be reached to log in", text)
    return ERRORS.error(errors.BadCredentials, "Azure does not let us log in", text)


def _wait_for_poller(poller: Any) -> Any:
    """What a long-running operation made, once it is done; WrongState when it does not end."""
    found = poller.result(MADE_SECONDS)
    if not poller.done():
        raise ERRORS.error(errors.WrongState, "Azure takes longer than ten minutes", f"status {poller.status()}")
    return found


def _status(pipeline: Any, *_: object) -> int:
    return int(pipeline.http_response.status_code)


def _sdk(name: str) -> Any:
    import gc
    import logging
    from importlib import import_module

    for chatty in ("azure", "msal"):  # what they warn of comes as an error too, and stderr is ours
        logging.getLogger(chatty).addHandler(logging.NullHandler())
    collecting = gc.isenabled()
    gc.disable()  # thousands of classes, none of them garbage: a fifth of the time would go into looking at them
    try:
        return import_module(name)
    except ImportError:
        raise PreflightFailed(
            "the driver azure needs the packages azure-identity and azure-mgmt-compute, -network and -resource",
            resolution="pip install '.[azure]' in the source's directory; with pipx:"
            " pipx inject container-hosts azure-identity azure-mgmt-compute azure-mgmt-network azure-mgmt-resource",
        ) from None
    finally:
        if collecting:
            gc.enable()
