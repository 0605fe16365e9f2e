"""One function per call to OpenStack, by openstacksdk. Nothing of the SDK leaves this module: its errors become ours.

What is found comes back as dictionaries with the SDK's names of things. Nova's microversions are negotiated by the SDK;
ConoHa's Nova gets none, since a newer one wants to be told the network that ConoHa chooses.
https://docs.openstack.org/openstacksdk/latest/user/index.html#api-documentation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.openstack import config, conoha
from machine.drivers.openstack.errors import ERRORS, BadAuthUrl, BadCertificate, BadCloud, connection_error, translate
from machine.errors import MachineError, PreflightFailed

Json = dict[str, Any]
CONSOLE_LINES = 100
OLDEST_NOVA = "2.1"


class Api:
    """The cloud as one project sees it; `data` is a Driver object, read at the first call."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._cloud: Any = None

    # who and where

    def log_in(self) -> str:
        """The id of the project that the credential is for; BadCredentials, BadAuthUrl, ..."""
        with self._asking("log in") as cloud:
            return str(cloud.session.get_project_id() or "")

    def auth_url(self) -> str:
        """Keystone's URL, from the clouds.yaml too."""
        with self._asking("log in") as cloud:
            return _auth_url(cloud)

    # what there is

    def flavor(self, name_or_id: str) -> Json:
        """A flavor; NotFound."""
        with self._asking("list flavors") as cloud:
            found = [_plain(flavor) for flavor in cloud.compute.flavors()]
        return _chosen(found, name_or_id, "flavor")

    def image(self, image_id: str) -> Json | None:
        """An image by id, None if there is none."""
        try:
            with self._asking(f"show the image {image_id}") as cloud:
                return _plain(cloud.image.get_image(image_id))
        except errors.NotFound:
            return None

    def images(self, name: str = "") -> list[Json]:
        """Every image of that name, or all."""
        with self._asking("list images") as cloud:
            found = [_plain(image) for image in cloud.image.images(**({"name": name} if name else {}))]
        return [image for image in found if name in ("", image.get("name"))]

    def networks(self) -> list[Json]:
        """Every network that the project may see."""
        with self._asking("list networks") as cloud:
            return [_plain(network) for network in cloud.network.networks()]

    def families(self, network_id: str) -> set[int]:
        """The versions of IP that a network has addresses of: 4, 6."""
        with self._asking("list its subnets") as cloud:
            found = [_plain(subnet) for subnet in cloud.network.subnets(network_id=network_id)]
        return {int(subnet["ip_version"]) for subnet in found if subnet.get("network_id") == network_id}

    def is_unguarded(self, network_id: str) -> bool:
        """Whether a network has port security, and it is off. The SDK says so too of one that knows no such thing."""
        with self._asking("show the network") as cloud:
            from openstack.exceptions import raise_from_response

            answer = cloud.network.get(f"/networks/{network_id}")
            raise_from_response(answer)
            return (answer.json().get("network") or {}).get("port_security_enabled") is False

    def groups(self) -> list[Json]:
        """Every security group that the project may see, its rules included."""
        with self._asking("list security groups") as cloud:
            return [_plain(group) for group in cloud.network.security_groups()]

    def ports(self, server_id: str) -> list[Json]:
        """The ports of a server."""
        with self._asking("list its ports") as cloud:
            found = [_plain(port) for port in cloud.network.ports(device_id=server_id)]
        return [port for port in found if port.get("device_id") == server_id]

    def addresses(self, description: str) -> list[Json]:
        """The floating addresses with that description, also when the cloud overlooks the filter and names all."""
        with self._asking("list floating addresses") as cloud:
            found = [_plain(address) for address in cloud.network.ips(description=description)]
        return [address for address in found if address.get("description") == description]

    def limits(self) -> Json:
        """The project's limits: total_cores and total_cores_used, and so on; -1 is none."""
        with self._asking("ask for the limits") as cloud:
            return dict(cloud.compute.get_limits().to_dict(computed=False, headers=False).get("absolute") or {})

    def volume_limits(self) -> Json:
        """The project's limits of volumes: max_total_volumes and total_volumes_used, and so on; -1 is none."""
        with self._asking("ask for the limits of volumes") as cloud:
            found = cloud.block_storage.get_limits().to_dict(computed=False, headers=False)
            return dict(found.get("absolute") or {})

    def network_limits(self, project: str) -> Json:
        """The project's limits of the network: ports and ports_used, and so on; -1 is none."""
        with self._asking("ask for the limits of the network") as cloud:
            found = cloud.network.get_quota(project, details=True).to_dict(computed=False, headers=False)
            details = {key: value for key, value in found.items() if isinstance(value, Mapping)}
            used = {
                f"{key}_used": int(value.get("used") or 0) + int(value.get("reserved") or 0)
                for key, value in details.items()
            }
            return used | {key: int(value["limit"]) for key, value in details.items() if "limit" in value}

    def volume_zones(self) -> list[str]:
        """The names of the availability zones of volumes."""
        with self._asking("list availability zones of volumes") as cloud:
            found = [_plain(zone) for zone in cloud.block_storage.availability_zones()]
        return [str(zone["name"]) for zone in found if (zone.get("state") or {}).get("available", True)]

    def zones(self) -> list[Json]:
        """The availability zones."""
        with self._asking("list availability zones") as cloud:
            return [_plain(zone) for zone in cloud.compute.availability_zones()]

    def server_groups(self) -> list[Json]:
        """Every server group of the project."""
        with self._asking("list server groups") as cloud:
            return [_plain(group) for group in cloud.compute.server_groups()]

    def has_key(self, name: str) -> bool:
        """Whether the user has a key pair of that name."""
        try:
            with self._asking(f"show the key pair {name}") as cloud:
                cloud.compute.get_keypair(name)
        except errors.NotFound:
            return False
        return True

    def volume_types(self) -> list[str]:
        """The names of the volume types."""
        with self._asking("list volume types") as cloud:
            return [str(kind.name) for kind in cloud.block_storage.types()]

    def volume(self, volume_id: str) -> Json | None:
        """A volume, None if there is none."""
        try:
            with self._asking("show the volume") as cloud:
                return _plain(cloud.block_storage.get_volume(volume_id))
        except errors.NotFound:
            return None

    def volumes(self, name: str) -> list[Json]:
        """Every volume of that name."""
        with self._asking("list volumes") as cloud:
            return [_plain(volume) for volume in cloud.block_storage.volumes(name=name)]

    def server(self, server_id: str) -> Json | None:
        """A server, None if there is none."""
        try:
            with self._asking("show the server") as cloud:
                return _plain(cloud.compute.get_server(server_id))
        except errors.NotFound:
            return None

    def servers(self) -> list[Json]:
        """Every server of the project."""
        with self._asking("list servers") as cloud:
            return [_plain(server) for server in cloud.compute.servers()]

    def console(self, server_id: str) -> str:
        """The end of what it printed while booting."""
        with self._asking("read the console") as cloud:
            found = cloud.compute.get_server_console_output(server_id, length=CONSOLE_LINES)
            return str((found or {}).get("output") or "")

    # what is made

    def make_key(self, name: str, public_key: str) -> str:
        """The name of a new key pair; NameTaken."""
        with self._doing("add the key pair") as cloud:
            cloud.compute.create_keypair(name=name, public_key=public_key)
        return name

    def make_group(self, name: str, description: str) -> Json:
        """A new security group; Neutron does not mind a second one of that name."""
        with self._doing("make a security group") as cloud:
            return _plain(cloud.network.create_security_group(name=name, description=description))

    def make_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """New rules, all or none; NameTaken when there is one of them already."""
        with self._doing("add rules to the security group") as cloud:
            list(cloud.network.create_security_group_rules([dict(rule) for rule in rules]))

    def make_volume(self, body: Mapping[str, Any]) -> Json:
        """A new volume, which is available later."""
        with self._doing("make a volume") as cloud:
            return _plain(cloud.block_storage.create_volume(**body))

    def make_server(self, body: Mapping[str, Any]) -> Json:
        """A new server. Nothing tells the cloud that a repeated request means the same one."""
        with self._doing("make a server") as cloud:
            return _plain(cloud.compute.create_server(**body))

    def make_address(self, network_id: str, port_id: str, description: str) -> Json:
        """A new floating address that leads to the port."""
        with self._doing("make a floating address") as cloud:
            return _plain(
                cloud.network.create_ip(floating_network_id=network_id, port_id=port_id, description=description)
            )

    # what is done with it

    def act(self, server_id: str, verb: str) -> None:
        """start, stop, reboot, unpause, resume or unshelve; it is on its way afterwards."""
        with self._doing(f"{verb} the server") as cloud:
            ask = getattr(cloud.compute, f"{verb}_server")
            ask(server_id, "SOFT") if verb == "reboot" else ask(server_id)

    def delete_server(self, server_id: str, *, at_once: bool = False) -> None:
        """Delete it, a moment later; absent is success. `at_once`: also where the cloud keeps such servers a while;
        absent is NotFound then."""
        with self._doing("remove the server") as cloud:
            cloud.compute.delete_server(server_id, force=at_once)

    def delete_address(self, address_id: str) -> None:
        """Delete it; absent is success."""
        with self._doing("give the floating address back") as cloud:
            cloud.network.delete_ip(address_id)

    def delete_volume(self, volume_id: str) -> None:
        """Delete it, a moment later; absent is success, InUse while the server has it."""
        with self._doing("remove the volume") as cloud:
            cloud.block_storage.delete_volume(volume_id)

    def delete_group(self, group_id: str) -> None:
        """Delete it; absent is success, InUse while a port has it."""
        with self._doing("remove the security group") as cloud:
            cloud.network.delete_security_group(group_id)

    def delete_key(self, name: str) -> None:
        """Delete it; absent is success."""
        with self._doing("remove the key pair") as cloud:
            cloud.compute.delete_keypair(name)

    # how it is asked

    def _asking(self, doing: str) -> AbstractContextManager[Any]:
        return _connection(self, doing, asking=True)

    def _doing(self, doing: str) -> AbstractContextManager[Any]:
        return _connection(self, doing, asking=False)

    def cloud(self) -> Any:
        """The SDK's connection."""
        if self._cloud is None:
            self._cloud = _sdk().connect(self.data)
            unknown = not self.data.get("Profile") and conoha.is_host(_auth_url(self._cloud))
            if unknown or config.is_conoha(self.data):
                self._cloud.compute.default_microversion = OLDEST_NOVA
        return self._cloud


def _auth_url(cloud: Any) -> str:
    return str(cloud.config.get_auth_args().get("auth_url") or "")


@contextmanager
def _connection(api: Api, doing: str, *, asking: bool) -> Iterator[Any]:
    """The SDK's connection, for a `with` block out of which come errors of ours instead of the SDK's."""
    with errors.sdk_errors(lambda error: _translated(error, doing, asking=asking, data=api.data)):
        yield api.cloud()


def _translated(error: Exception, doing: str, *, asking: bool, data: Mapping[str, Any]) -> MachineError | None:
    """Our error for one of the SDK's, None for what is none of the SDK's."""
    from keystoneauth1 import exceptions as keystone
    from openstack import exceptions as sdk

    from machine.drivers.openstack.transport import NotKeystone, RetryAfterTooLong

    text = connection_error(str(error))
    made = ERRORS.error
    if isinstance(error, NotKeystone):
        return _no_keystone(text, data)
    if isinstance(error, sdk.HttpException):
        status = int(error.status_code or 0)
        return translate(status, str(error.details or error), doing, asking=asking)
    if isinstance(error, keystone.HttpError):
        return _login_refused(int(error.http_status or 0), text, doing, data)
    table: Iterable[tuple[Any, errors.Kind, str]] = (
        (RetryAfterTooLong, errors.RateLimited, "the cloud has had too many calls"),
        (keystone.SSLError, BadCertificate, "the API's certificate is not accepted"),
        (keystone.ConnectTimeout, errors.ApiTimeout, "the API did not answer in time"),
        (keystone.ConnectionError, errors.Unreachable, "the API cannot be reached"),
        (keystone.CatalogException, errors.BadRegion, "the cloud names no such service"),
        (
            (sdk.ServiceDisabledException, sdk.NotSupported, sdk.ServiceDiscoveryException),
            errors.BadRegion,
            "the cloud has no such service",
        ),
        (keystone.AuthPluginException, BadCloud, "what is given does not do to log in"),
        (sdk.ConfigException, BadCloud, "the cloud's configuration cannot be used"),
        (OSError, errors.Unreachable, "the API cannot be asked"),  # a file of CAs that is none, and the like
        ((keystone.ClientException, sdk.SDKException), errors.ServiceBroken, "the API's answer makes no sense"),
        (
            (ValueError, TypeError, LookupError, AttributeError),
            errors.ServiceBroken,
            "the API's answer makes no sense",
        ),
    )
    for kind, cls, brief in table:
        if isinstance(error, kind):
            if kind is OSError and isinstance(error, ValueError):  # JSON that is none, as requests has it
                continue
            return made(cls, f"{brief} (to {doing})", text)
    return None


def _no_keystone(text: str, data: Mapping[str, Any]) -> errors.CloudError:
    """There is no Identity v3 at the URL that is given."""
    where = data.get("AuthUrl") or data.get("Cloud")
    wrong = ERRORS.error(BadAuthUrl, f"{where} is no URL to log in at", text)
    if config.is_conoha(data):
        wrong.resolution = f"set $OS_AUTH_URL to {conoha.AUTH_URL}: ConoHa has Identity v3 there"
    return wrong


def _login_refused(status: int, text: str, doing: str, data: Mapping[str, Any]) -> errors.CloudError:
    """Keystone's refusals."""
    if status == 404 and "could not find" in text.lower():  # an application credential that was revoked
        return ERRORS.error(
            errors.BadCredentials, "the cloud does not know what is given to log in", text, status=status
        )
    if status == 404:
        where = data.get("AuthUrl") or f"the URL of the cloud {data.get('Cloud')}"
        return ERRORS.error(BadAuthUrl, f"there is no Identity v3 at {where}", text, status=status)
    return translate(status, text, "log in" if status == 401 else doing, asking=True)


def _sdk() -> Any:
    try:
        from machine.drivers.openstack import transport
    except ImportError:
        raise PreflightFailed(
            "the driver openstack needs the package openstacksdk",
            resolution="pip install '.[openstack]' in the source's directory;"
            " with pipx: pipx inject container-hosts openstacksdk",
        ) from None
    return transport


def _plain(resource: Any) -> Json:
    """A resource of the SDK as a dictionary; ServiceBroken when it is empty, as when something else answered."""
    found: Json = resource.to_dict(computed=False, headers=False)
    if found.get("id") is None and found.get("name") is None:
        brief = "the API's answer makes no sense"
        raise ERRORS.error(errors.ServiceBroken, brief, f"a {type(resource).__name__} without id and name")
    return found


def _chosen(found: Sequence[Json], name_or_id: str, what: str) -> Json:
    """The one of that id, or else the one of that name; NotFound names some of what there is."""
    for key in ("id", "name"):
        for entry in found:
            if entry.get(key) == name_or_id:
                return entry
    some = ", ".join(sorted(str(entry.get("name")) for entry in found)[:20])
    raise ERRORS.error(errors.NotFound, f"there is no {what} {name_or_id}", f"there are: {some}" if some else "")
