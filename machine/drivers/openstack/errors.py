"""One class per way in which OpenStack says no, and the way from its answers to them.

Its services have few error codes, so the sentence decides: those below are Nova's, Neutron's, Cinder's and Keystone's
own (https://docs.openstack.org/api-ref/). The cloud's text is in `details`; `resolution` is what to do about it.
"""

from __future__ import annotations

import re

from machine.errors import DriverError


class OpenStackError(DriverError):
    """The cloud refused, in a way that has no class of its own. `status` is HTTP's, 0 without an answer."""

    status = 0
    advice = "change what the message names; `machine create -d openstack --help` lists the flags"


class BadCredentials(OpenStackError):
    """The cloud does not know user, password, project, domain or credential."""

    advice = (
        "check --openstack-username, --openstack-password, --openstack-project-name and the domains, or the"
        " application credential: `openstack token issue` tries the same"
    )


class NotAllowed(OpenStackError):
    """The user may not do that."""

    advice = "use a user, or an application credential, with the role `member` in the project"


class BadAuthUrl(OpenStackError):
    """There is no Identity v3 at that URL."""

    advice = (
        "set $OS_AUTH_URL to the URL of Keystone's v3 API, such as https://HOST:5000/v3; if that is what it is, the"
        " cloud or a proxy before it is out of order: try again later"
    )


class BadCloud(OpenStackError):
    """clouds.yaml has no such cloud, or cannot be read, or lacks something."""

    advice = "check --openstack-cloud and --openstack-client-config-file"


class BadRegion(OpenStackError):
    """The cloud names no such service there."""

    advice = "check --openstack-region and --openstack-endpoint-type; `openstack catalog list` shows what there is"


class NotFound(OpenStackError):
    """There is no such thing, or the URL is none of OpenStack's."""

    advice = "check --openstack-auth-url, and whether somebody has removed it"


class NoCapacity(OpenStackError):
    """No host or no address is left."""

    advice = "try another --openstack-flavor-name, --openstack-availability-zone or --openstack-net-name, or later"


class QuotaExceeded(OpenStackError):
    """The project's limit is reached."""

    advice = "remove what is not needed, or ask for more: `openstack limits show --absolute` shows the limits"


class BadImage(OpenStackError):
    """No such image, or it does not fit."""

    advice = "choose another --openstack-image-name (`openstack image list` shows them)"


class BadFlavor(OpenStackError):
    """No such flavor, or it does not fit."""

    advice = "choose another --openstack-flavor-name (`openstack flavor list` shows them)"


class BadKey(OpenStackError):
    """No such key pair, or a key that Nova does not take."""

    advice = "check --openstack-keypair-name and --openstack-private-key-file"


class BadNetwork(OpenStackError):
    """No such network, or too many to choose from, or no way to it."""

    advice = "check --openstack-net-name and --openstack-floatingip-pool (`openstack network list` shows them)"


class BadGroup(OpenStackError):
    """No such security group."""

    advice = "check --openstack-sec-groups (`openstack security group list` shows them)"


class BadZone(OpenStackError):
    """No such availability zone."""

    advice = "check --openstack-availability-zone (`openstack availability zone list` shows them)"


class BadServerGroup(OpenStackError):
    """No such server group, or its rule cannot be kept."""

    advice = "check --openstack-server-group-name (`openstack server group list` shows them)"


class BadVolume(OpenStackError):
    """No such volume, or it cannot be booted from."""

    advice = "check --openstack-volume-id, --openstack-volume-type and --openstack-volume-size"


class BadUserData(OpenStackError):
    """What cloud-init shall be told cannot be sent."""

    advice = "check --openstack-user-data-file"


class BadPassword(OpenStackError):
    """The cloud does not take the password."""

    advice = "give another --openstack-admin-password, or none"


class NameTaken(OpenStackError):
    """Something like that is there already."""

    advice = "choose another name for the machine"


class WrongState(OpenStackError):
    """The server is in the middle of something else, or locked."""

    advice = "try again when it has settled: machine status says where it is"


class InUse(OpenStackError):
    """Something else still needs what was to be removed."""

    advice = "try again once that is gone"


class RateLimited(OpenStackError):
    """Too many calls, also after waiting and repeating."""

    advice = "try again later; --openstack-retries repeats more often"


class Unreachable(OpenStackError):
    """The API cannot be reached."""

    advice = "check the network, any proxy, and --openstack-auth-url"


class BadCertificate(Unreachable):
    """The API's certificate is not accepted."""

    advice = "name the CA with --openstack-cacert, or do without it: --openstack-insecure"


class ApiTimeout(Unreachable):
    """The API did not answer in time."""

    advice = "try again; --openstack-api-timeout waits longer"


class ServiceBroken(OpenStackError):
    """The API answered with an error of its own, or with nonsense."""

    advice = "try again later, ask those who run the cloud, or check --openstack-auth-url"


class ServerGone(OpenStackError):
    """The cloud does not know the server any more."""


class ServerFailed(OpenStackError):
    """The cloud gave up making the server, for a reason that has no class of its own."""

    advice = "try again, or elsewhere: --openstack-availability-zone, --openstack-flavor-name"


UNANSWERED = (Unreachable, ServiceBroken)  # after which nobody knows whether it was done

BY_STATUS: dict[int, type[OpenStackError]] = {
    401: BadCredentials,
    403: NotAllowed,
    404: NotFound,
    408: ApiTimeout,
    409: WrongState,
    429: RateLimited,
}
BY_WORDS: tuple[tuple[str, type[OpenStackError]], ...] = (  # of 400, 403, 404 (not of a GET), 409, 413; the first wins
    (r"policy doesn't allow|(disallowed|not allowed) by policy", NotAllowed),  # and which rule, "os-keypairs:create"
    (r"rate.?limit|too many requests|over.?limit", RateLimited),
    (r"quota|exceeds? (the )?(allowed|limit)|limit exceeded", QuotaExceeded),
    (r"no valid host|not enough hosts|no more ip addresses|out of (host )?capacity|insufficient", NoCapacity),
    (r"maximum number of retries|no more addresses|exhausted", NoCapacity),
    (r"while it is in (vm_state|task_state|status)|is locked|in an invalid state", WrongState),
    (r"already exists|already (in use|associated)|duplicate", NameTaken),
    (r"volume status must be|in.?use\b|still (has|have)|is being used", InUse),
    (r"zero disk|block.?device|\bvolume", BadVolume),
    (r"multiple possible networks|\bnetwork|subnet|floating|\bport\b", BadNetwork),
    (r"availability zone", BadZone),
    (r"server.?group|anti-?affinity", BadServerGroup),
    (r"security.?group", BadGroup),
    (r"adminPass|password", BadPassword),
    (r"user.?data", BadUserData),
    (r"key.?name|key.?pair|public key|fingerprint", BadKey),
    (r"flavor", BadFlavor),
    (r"image", BadImage),
)
LONGEST = 500  # characters of the cloud's text that are shown


def classify(status: int, text: str, *, asking: bool = False) -> type[OpenStackError]:
    """The class of an answer; `asking` when nothing was to be changed: 404 is then just "no"."""
    if status >= 500:
        return ServiceBroken
    if status in (401, 408, 429) or (status == 404 and asking):
        return BY_STATUS[status]
    found = by_words(text)
    return found or BY_STATUS.get(status, OpenStackError)


def by_words(text: str) -> type[OpenStackError] | None:
    """The class that a sentence speaks of."""
    return next((cls for words, cls in BY_WORDS if re.search(words, text, re.IGNORECASE)), None)


def refused(status: int, text: str, doing: str, *, asking: bool = False) -> OpenStackError:
    """The error for an answer to `doing` (words for the call) that is none of success."""
    cls = classify(status, text, asking=asking)
    return made(cls, f"the cloud refused to {doing}", f"{status}: {text.strip()}"[:LONGEST], status)


_POOL = re.compile(r"HTTPS?ConnectionPool\(")
_REASON = re.compile(
    r"\[Errno -?\d+\] ([^'\")\\]+)"  # the system's own
    r"|(certificate verify failed: [^('\"\\]*[^ ('\"\\])"
    r"|((?:Read|Connection to \S+) timed out)"
    r"|(Remote end closed connection without response)"
)


def plain(text: str) -> str:
    """What urllib3 says of a connection, without its objects: the URL's part of the sentence, and the reason."""
    pool = _POOL.search(text)
    reason = _REASON.search(text)
    if pool is None or reason is None:
        return text
    said = next(group for group in reason.groups() if group)
    return f"{text[: pool.start()].rstrip(': (')}: {said}".lstrip(": ")


def made(cls: type[OpenStackError], brief: str, text: str = "", status: int = 0) -> OpenStackError:
    """An error of that class with its advice."""
    error = cls(brief, details=text.strip()[:LONGEST], resolution=cls.advice)
    error.status = status
    return error


def failed(name: str, fault: str) -> OpenStackError:
    """Why a server or volume came to nothing, from what the cloud notes on it."""
    return made(by_words(fault) or ServerFailed, f"the cloud gave up making {name}", fault)
