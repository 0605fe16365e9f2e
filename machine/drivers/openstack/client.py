"""Calls to OpenStack, by openstacksdk. Nothing of the SDK leaves this module: its errors become ours.

What is found comes back as dictionaries with the SDK's names of things. Nova's microversions are negotiated by the SDK;
ConoHa's Nova gets none, since a newer one wants to be told the network that ConoHa chooses.
https://docs.openstack.org/openstacksdk/latest/user/index.html#api-documentation
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.openstack import conoha
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS, BadAuthUrl, BadCertificate, BadCloud, translate
from machine.errors import MachineError

Json = dict[str, Any]
Call = Callable[[Any], Any]
CONSOLE_LINES = 100
OLDEST_NOVA = "2.1"
EXTENDS_ATTACHED = "3.42"  # Cinder's microversion since when a volume in use can grow


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of things that the SDK knows."""

    service: str  # of the SDK's connection
    noun: str  # in the names of the SDK's methods: get_NOUN, create_NOUN, NOUNs
    words: str  # as messages call one

    def call(self, cloud: Any, method: str, *given: Any, **named: Any) -> Any:
        """Call the SDK's method of that name, in which `{}` stands for the noun."""
        return getattr(getattr(cloud, self.service), method.format(self.noun))(*given, **named)


FLAVOR = ResourceType("compute", "flavor", "flavor")
FLOATING_IP = ResourceType("network", "ip", "floating address")
SECURITY_GROUP = ResourceType("network", "security_group", "security group")
IMAGE = ResourceType("image", "image", "image")
KEY_PAIR = ResourceType("compute", "keypair", "key pair")
NETWORK = ResourceType("network", "network", "network")
PORT = ResourceType("network", "port", "port")
SERVER = ResourceType("compute", "server", "server")
SERVER_GROUP = ResourceType("compute", "server_group", "server group")
SUBNET = ResourceType("network", "subnet", "subnet")
VOLUME = ResourceType("block_storage", "volume", "volume")
VOLUME_TYPE = ResourceType("block_storage", "type", "volume type")
VOLUME_ZONE = ResourceType("block_storage", "availability_zone", "availability zone of volume")
ZONE = ResourceType("compute", "availability_zone", "availability zone")


class Api:
    """The cloud as one project sees it; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._cloud: Any = None

    # login

    def log_in(self) -> str:
        """The id of the project that the credential is for; BadCredentials, BadAuthUrl, ..."""
        return str(self._ask("log in", lambda cloud: cloud.session.get_project_id()) or "")

    def auth_url(self) -> str:
        """Keystone's URL, from the clouds.yaml too."""
        return str(self._ask("log in", _auth_url))

    # what there is

    def list_all(self, kind: ResourceType, **where: str) -> list[Json]:
        """Every thing that the project may see and that has these values, also where the cloud ignores a filter."""
        doing = f"list {kind.words}s"
        found = self._ask(doing, lambda cloud: [_plain(one) for one in kind.call(cloud, "{}s", **where)])
        return [one for one in found if all(one.get(key) == value for key, value in where.items())]

    def find(self, kind: ResourceType, key: str) -> Json | None:
        """A thing by its id (a key pair by its name), None if there is none."""
        try:
            return _plain(self._ask(f"show the {kind.words} {key}", lambda cloud: kind.call(cloud, "get_{}", key)))
        except errors.NotFound:
            return None

    def is_unguarded(self, network_id: str) -> bool:
        """Whether port security is off on a network.

        The API's own answer is read: the SDK says that it is off also where the cloud has no port security at all.
        """

        def ask(cloud: Any) -> bool:
            from openstack.exceptions import raise_from_response

            answer = cloud.network.get(f"/networks/{network_id}")
            raise_from_response(answer)
            return (answer.json().get("network") or {}).get("port_security_enabled") is False

        return bool(self._ask("show the network", ask))

    def limits(self, service: str) -> Json:
        """The project's limits of compute or block_storage: total_cores and total_cores_used, and so on; -1 is none."""
        found = self._ask(f"ask for the limits of {service}", lambda cloud: getattr(cloud, service).get_limits())
        return dict(found.to_dict(computed=False, headers=False).get("absolute") or {})

    def network_limits(self, project: str) -> Json:
        """The project's limits of the network: ports and ports_used, and so on; -1 is none."""

        def ask(cloud: Any) -> Json:
            found = cloud.network.get_quota(project, details=True).to_dict(computed=False, headers=False)
            details = {key: value for key, value in found.items() if isinstance(value, Mapping)}
            counts = {key: [value.get("used"), value.get("reserved")] for key, value in details.items()}
            used = {f"{key}_used": sum(int(count or 0) for count in both) for key, both in counts.items()}
            return used | {key: int(value["limit"]) for key, value in details.items() if "limit" in value}

        return dict(self._ask("ask for the limits of the network", ask))

    def console(self, server_id: str) -> str:
        """The end of what it printed while booting."""
        doing = "read the console"
        found = self._ask(doing, lambda cloud: cloud.compute.get_server_console_output(server_id, length=CONSOLE_LINES))
        return str((found or {}).get("output") or "")

    # what is made, done and removed

    def make(self, kind: ResourceType, **body: Any) -> Json:
        """A new thing. Raises NameTaken for a key pair; of all others there may be a second one of that name."""
        return _plain(self._do(f"make a {kind.words}", lambda cloud: kind.call(cloud, "create_{}", **body)))

    def make_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """New rules of a security group, all or none. Raises NameTaken if there is one of them already."""
        doing, bodies = "add rules to the security group", [dict(rule) for rule in rules]
        self._do(doing, lambda cloud: list(cloud.network.create_security_group_rules(bodies)))

    def act(self, server_id: str, verb: str) -> None:
        """start, stop, reboot, unpause, resume or unshelve; it is on its way afterwards."""
        how = ("SOFT",) if verb == "reboot" else ()
        self._do(f"{verb} the server", lambda cloud: getattr(cloud.compute, f"{verb}_server")(server_id, *how))

    def resize(self, server_id: str, flavor_id: str) -> None:
        """Give a server another flavor; once that is done, it waits for `confirm_resize`."""
        self._do("resize the server", lambda cloud: cloud.compute.resize_server(server_id, flavor_id))

    def confirm_resize(self, server_id: str) -> None:
        """Have the cloud give up what it keeps of a server as it was; WrongState if it is at that already."""
        self._do("confirm the resize of the server", lambda cloud: cloud.compute.confirm_server_resize(server_id))

    def extends_attached_volumes(self) -> bool:
        """Whether Cinder can grow a volume that a server has."""

        def ask(cloud: Any) -> bool:
            from openstack.utils import supports_microversion

            return bool(supports_microversion(cloud.block_storage, EXTENDS_ATTACHED))

        return bool(self._ask("ask for the versions of block storage", ask))

    def extend_volume(self, volume_id: str, gigabytes: int) -> None:
        """Grow a volume; it is on its way afterwards."""
        self._do("grow the volume", lambda cloud: cloud.block_storage.extend_volume(volume_id, gigabytes))

    def delete(self, kind: ResourceType, key: str, **how: bool) -> None:
        """Remove a thing, a moment later; absent is success, InUse while something needs it.

        force=True removes a server also where the cloud keeps such servers a while; absent is NotFound then.
        """
        self._do(f"remove the {kind.words}", lambda cloud: kind.call(cloud, "delete_{}", key, **how))

    # one call: `doing` are words for the call, `call` gets the SDK's connection

    def _ask(self, doing: str, call: Call, *, asking: bool = True) -> Any:
        with errors.sdk_errors(functools.partial(_convert, asking=asking, config=self.config), doing):
            return call(self.cloud())

    def _do(self, doing: str, call: Call) -> Any:
        return self._ask(doing, call, asking=False)

    def cloud(self) -> Any:
        """The SDK's connection."""
        if self._cloud is None:
            with errors.sdk_needed("openstack", "openstacksdk", ERRORS):
                from machine.drivers.openstack import transport
            self._cloud = transport.connect(self.config)
            unknown = not self.config.profile and conoha.is_host(_auth_url(self._cloud))
            if unknown or self.config.is_conoha:
                self._cloud.compute.default_microversion = OLDEST_NOVA
        return self._cloud


def _auth_url(cloud: Any) -> str:
    return str(cloud.config.get_auth_args().get("auth_url") or "")


def _convert(error: Exception, doing: str, *, asking: bool, config: Config) -> MachineError | None:
    """Our error for one of the SDK's, None for what is none of the SDK's."""
    from keystoneauth1 import exceptions as keystone
    from openstack import exceptions as sdk

    from machine.drivers.openstack.transport import NotKeystone, RetryAfterTooLong

    text = errors.connection_error(str(error))
    made = ERRORS.error
    if isinstance(error, NotKeystone):
        return _no_keystone(text, config)
    if isinstance(error, sdk.HttpException):
        status = int(error.status_code or 0)
        return translate(status, str(error.details or error), doing, asking=asking)
    if isinstance(error, keystone.HttpError):
        return _login_refused(int(error.http_status or 0), text, doing, config)
    no_service = (sdk.ServiceDisabledException, sdk.NotSupported, sdk.ServiceDiscoveryException)
    nonsense = (keystone.ClientException, sdk.SDKException, ValueError, TypeError, LookupError, AttributeError)
    table: Iterable[tuple[Any, errors.ErrorClass, str]] = (
        (RetryAfterTooLong, errors.RateLimited, "the cloud has had too many calls"),
        (keystone.SSLError, BadCertificate, "the API's certificate is not accepted"),
        (keystone.ConnectTimeout, errors.ApiTimeout, "the API did not answer in time"),
        (keystone.ConnectionError, errors.Unreachable, "the API cannot be reached"),
        (keystone.CatalogException, errors.BadRegion, "the cloud names no such service"),
        (no_service, errors.BadRegion, "the cloud has no such service"),
        (keystone.AuthPluginException, BadCloud, "what is given does not do to log in"),
        (sdk.ConfigException, BadCloud, "the cloud's configuration cannot be used"),
        (OSError, errors.Unreachable, "the API cannot be asked"),  # a file of CAs that is none, and the like
        (nonsense, errors.ServiceBroken, "the API's answer makes no sense"),
    )
    for kind, cls, brief in table:
        if isinstance(error, kind):
            if kind is OSError and isinstance(error, ValueError):  # JSON that is none, as requests has it
                continue
            return made(cls, f"{brief} (to {doing})", text)
    return None


def _no_keystone(text: str, config: Config) -> errors.CloudError:
    """There is no Identity v3 at the URL that is given."""
    wrong = ERRORS.error(BadAuthUrl, f"{config.auth_url or config.cloud} is no URL to log in at", text)
    if config.is_conoha:
        wrong.resolution = f"set $OS_AUTH_URL to {conoha.AUTH_URL}: ConoHa has Identity v3 there"
    return wrong


def _login_refused(status: int, text: str, doing: str, config: Config) -> errors.CloudError:
    """Keystone's refusals."""
    if status == 404 and "could not find" in text.lower():  # an application credential that was revoked
        return ERRORS.error(
            errors.BadCredentials, "the cloud does not know what is given to log in", text, status=status
        )
    if status == 404:
        where = config.auth_url or f"the URL of the cloud {config.cloud}"
        return ERRORS.error(BadAuthUrl, f"there is no Identity v3 at {where}", text, status=status)
    return translate(status, text, "log in" if status == 401 else doing, asking=True)


def _plain(resource: Any) -> Json:
    """A resource of the SDK as a dictionary. Raises ServiceBroken if it is empty, as when something else answered."""
    found: Json = resource.to_dict(computed=False, headers=False)
    if found.get("id") is None and found.get("name") is None:
        brief = "the API's answer makes no sense"
        raise ERRORS.error(errors.ServiceBroken, brief, f"a {type(resource).__name__} without id and name")
    return found
