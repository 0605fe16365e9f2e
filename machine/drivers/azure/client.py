"""The calls to Azure's Resource Manager. Nothing of the SDK leaves this module: answers are the REST API's own JSON.

No call waits for what it has begun: `put` and `delete` return when Azure has taken the request, and `get` tells by
the `provisioningState` how far it is. https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from machine.drivers.azure import resources
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ERRORS, translate
from machine.drivers.azure.resources import Json, ResourceType
from machine.drivers.azure.sdk import Sdk, convert
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors

GONE = (200, 204)  # a DELETE's answer when there is nothing more to wait for


class Api:
    """Azure as one subscription sees it; `config` is read at the first call. `ctx` is for logging in.

    A `path` is what the REST API's URL has after the kind's provider: resource group and name, for most kinds.
    """

    def __init__(self, config: Config, ctx: DriverContext) -> None:
        self.config = config
        self.sdk = Sdk(config, ctx)
        self._begun: dict[tuple[str, ...], str] = {}  # path -> URL of the operation that makes it, of this process

    # resources

    def get(self, kind: ResourceType, *path: str) -> Json | None:
        """Return a resource, None if there is none. A machine comes with its instanceView."""
        how = {"expand": "instanceView"} if kind is resources.MACHINE else {}
        try:
            return self._resource(f"look at the {kind.label}", lambda: self._of(kind).get(*path, **how), kind.key)
        except (errors.NotFound, errors.BadImage):
            return None

    def list_all(self, kind: ResourceType, group: str) -> list[Json]:
        """Return the resources of a kind in a group, as those who make them know them."""
        return self._list(f"list {kind.label}s", lambda: self._of(kind).list(group))

    def put(self, kind: ResourceType, *path: str, body: Mapping[str, Any]) -> Json:
        """Ask for a resource and return it as it is now: its provisioningState says whether it is made."""
        doing, operations, request = f"make the {kind.label}", self._of(kind), dict(body)
        if kind in (resources.RESOURCE_GROUP, resources.AVAILABILITY_SET):  # they are made when Azure answers
            return self._resource(doing, lambda: operations.create_or_update(*path, request), kind.key)
        with errors.sdk_errors(convert, doing):
            poller = operations.begin_create_or_update(*path, request, polling=False, cls=_with_operation)
            made, self._begun[path] = poller.result()
        return self._resource(doing, lambda: made, kind.key)

    def update(self, kind: ResourceType, *path: str, body: Mapping[str, Any]) -> None:
        """Ask for a change of a resource; its provisioningState says whether that is done."""
        with errors.sdk_errors(convert, f"change the {kind.label}"):
            poller = self._of(kind).begin_update(*path, dict(body), polling=False, cls=_with_operation)
            _, self._begun[path] = poller.result()

    def ensure(self, kind: ResourceType, *path: str, body: Mapping[str, Any]) -> Json:
        """Return a resource, asked for if there is none, or one that failed for an earlier process.

        A CloudError says why what this process asked for has failed.
        """
        found = self.get(kind, *path)
        if found is None or (resources.has_failed(found) and path not in self._begun):
            found = self.put(kind, *path, body=body)
        self.raise_failure(kind, *path, found=found)
        return found

    def raise_failure(self, kind: ResourceType, *path: str, found: Mapping[str, Any], doing: str = "make") -> None:
        """Raise a CloudError with Azure's reason when making or changing it, for this process, has failed."""
        if path not in self._begun or not resources.has_failed(found):
            return
        address = self._begun.pop(path)
        reason = self.sdk.operation_error(kind.client, address) if address else {}
        code, text = str(reason.get("code") or ""), str(reason.get("message") or "")
        raise translate(code or resources.provisioning_state(found), text, 0, f"{doing} the {kind.label}")

    def delete(self, kind: ResourceType, *path: str) -> bool:
        """Delete a resource. Return True when it is gone, False while it is going; repeating it is asking.

        Raises InUse if something has it.
        """
        how = {"force_deletion": True} if kind is resources.MACHINE else {}
        try:
            with errors.sdk_errors(convert, f"delete {path[-1]}"):
                if kind is resources.AVAILABILITY_SET:  # the one that is gone when Azure answers
                    self._of(kind).delete(*path)
                    return True
                return self._of(kind).begin_delete(*path, polling=False, cls=_status, **how).result() in GONE
        except errors.NotFound:
            return True
        except errors.WrongState:
            return False

    def power(self, verb: str, group: str, name: str, **how: Any) -> None:
        """start, deallocate, power_off or restart a machine; it is on its way afterwards."""
        with errors.sdk_errors(convert, f"{verb.replace('_', ' ')} the machine"):
            getattr(self._of(resources.MACHINE), f"begin_{verb}")(group, name, polling=False, **how)

    # questions of other shapes

    def sizes(self) -> list[Json]:
        """ResourceSkus of the region: VM sizes, disks, availability sets. Thousands, in one long answer."""
        wanted = f"location eq '{self.config.location}'"
        return self._list("list sizes", lambda: self.sdk.client("compute").resource_skus.list(filter=wanted))

    def usages(self) -> list[Json]:
        """Limits of the subscription in the region: processors, and addresses."""
        place = self.config.location
        return [
            *self._list("list compute quotas", lambda: self.sdk.client("compute").usage.list(place)),
            *self._list("list network quotas", lambda: self.sdk.client("network").usages.list(place)),
        ]

    def image_versions(self, publisher: str, offer: str, sku: str) -> list[str]:
        """Names of a published image's versions, [] if there is no such image."""
        path = (self.config.location, publisher, offer, sku)
        try:
            found = self._list("list images", lambda: self._of(resources.PUBLISHED_IMAGE).list(*path))
        except (errors.NotFound, errors.BadImage):
            return []
        return [str(image.get("name")) for image in found]

    def contents(self, group: str, machine_id: str = "") -> list[Json]:
        """Everything in a resource group (of one machine, by its tag), as ARM's own index has it: seconds old."""
        wanted = {"filter": f"tagName eq 'machine-id' and tagValue eq '{machine_id}'"} if machine_id else {}
        try:
            present = self.sdk.client("resources").resources
            return self._list("list resources", lambda: present.list_by_resource_group(group, **wanted))
        except errors.NotFound:
            return []

    def label_is_free(self, label: str) -> bool:
        """Whether a DNS label can be had in the region."""
        with errors.sdk_errors(convert, "check the DNS label"):
            network = self.sdk.client("network")
            found = network.check_dns_name_availability(self.config.location, domain_name_label=label)
            return bool(found.as_dict().get("available"))

    def console(self, group: str, name: str) -> str:
        """What the machine wrote to its serial port, "" when nothing is kept."""
        with errors.sdk_errors(convert, "fetch the console"):
            found = self._of(resources.MACHINE).retrieve_boot_diagnostics_data(group, name).as_dict()
        address = str(found.get("serialConsoleLogBlobUri") or "")
        return self.sdk.fetch(address) if address.startswith("https://") else ""

    # how it is asked

    def _of(self, kind: ResourceType) -> Any:
        return getattr(self.sdk.client(kind.client), kind.operations)

    def _list(self, doing: str, call: Callable[[], Any]) -> list[Json]:
        with errors.sdk_errors(convert, doing):
            return [item.as_dict() for item in call()]

    def _resource(self, doing: str, call: Callable[[], Any], key: str) -> Json:
        """A resource. Raises ServiceBroken if an answer is none, as when something else than Azure answered."""
        with errors.sdk_errors(convert, doing):
            found: Json = call().as_dict()
        if not found.get(key):
            raise ERRORS.error(errors.ServiceBroken, f"the answer to {doing} makes no sense", f"it has no {key}")
        return found


def _status(pipeline: Any, *_: object) -> int:
    return int(pipeline.http_response.status_code)


def _with_operation(pipeline: Any, made: Any, _: object) -> tuple[Any, str]:
    """A resource, and the URL that tells what becomes of it, "" when it is done."""
    return made, str(pipeline.http_response.headers.get("Azure-AsyncOperation") or "")
