"""What the answers of an OpenStack cloud mean, and what to do about each kind of error.

Its services have few error codes, so the sentence decides: those below are Nova's, Neutron's, Cinder's and Keystone's
own (https://docs.openstack.org/api-ref/).
"""

from __future__ import annotations

from machine.drivers.cloud import errors


class BadAuthUrl(errors.CloudError):
    """There is no Identity v3 at that URL."""


class BadCloud(errors.CloudError):
    """clouds.yaml has no such cloud, or cannot be read, or lacks something."""


class BadZone(errors.CloudError):
    """No such availability zone."""


class BadServerGroup(errors.CloudError):
    """No such server group, or its rule cannot be kept."""


class BadPassword(errors.CloudError):
    """The cloud does not take the password."""


class BadCertificate(errors.Unreachable):
    """The API's certificate is not accepted."""


class ServerFailed(errors.CloudError):
    """The cloud gave up making the server, for a reason that has no class of its own."""


ADVICE: dict[errors.ErrorClass, str] = {
    errors.BadCredentials: (
        "check --openstack-username, --openstack-password, --openstack-project-name and the domains, or the "
        "application credential: `openstack token issue` tries the same"
    ),
    errors.NotAllowed: "use a user, or an application credential, with the role `member` in the project",
    BadAuthUrl: (
        "set $OS_AUTH_URL to the URL of Keystone's v3 API, such as https://HOST:5000/v3; if that is what it "
        "is, the cloud or a proxy before it is out of order: try again later"
    ),
    BadCloud: "check --openstack-cloud and --openstack-client-config-file",
    errors.BadRegion: (
        "check --openstack-region and --openstack-endpoint-type; `openstack catalog list` shows what there is"
    ),
    errors.NotFound: "check --openstack-auth-url, and whether somebody has removed it",
    errors.NoCapacity: (
        "try another --openstack-flavor-name, --openstack-availability-zone or --openstack-net-name, or later"
    ),
    errors.QuotaExceeded: (
        "remove what is not needed, or ask for more: `openstack limits show --absolute` shows the limits"
    ),
    errors.BadImage: "choose another --openstack-image-name (`openstack image list` shows them)",
    errors.BadSize: "choose another --openstack-flavor-name (`openstack flavor list` shows them)",
    errors.BadKey: "check --openstack-keypair-name and --openstack-private-key-file",
    errors.BadNetwork: (
        "check --openstack-net-name and --openstack-floatingip-pool (`openstack network list` shows them)"
    ),
    errors.BadFirewall: "check --openstack-sec-groups (`openstack security group list` shows them)",
    BadZone: "check --openstack-availability-zone (`openstack availability zone list` shows them)",
    BadServerGroup: "check --openstack-server-group-name (`openstack server group list` shows them)",
    errors.BadVolume: "check --openstack-volume-id, --openstack-volume-type and --openstack-volume-size",
    errors.BadUserData: "check --openstack-user-data-file",
    BadPassword: "give another --openstack-admin-password, or none",
    errors.RateLimited: "try again later; --openstack-retries repeats more often",
    errors.Unreachable: "check the network, any proxy, and --openstack-auth-url",
    BadCertificate: "name the CA with --openstack-cacert, or do without it: --openstack-insecure",
    errors.ApiTimeout: "try again; --openstack-api-timeout waits longer",
    errors.ServiceBroken: "try again later, ask those who run the cloud, or check --openstack-auth-url",
    ServerFailed: "try again, or elsewhere: --openstack-availability-zone, --openstack-flavor-name",
}
STATUSES: dict[int, errors.ErrorClass] = {**errors.STATUSES, 409: errors.WrongState}
SENTENCES: tuple[tuple[str, errors.ErrorClass], ...] = (  # of 400, 403, 404 (not of a GET), 409, 413; the first wins
    # of a policy also the rule is named, such as "os-keypairs:create"
    (r"policy doesn't allow|(disallowed|not allowed) by policy", errors.NotAllowed),
    (r"rate.?limit|too many requests|over.?limit", errors.RateLimited),
    (r"quota|exceeds? (the )?(allowed|limit)|limit exceeded", errors.QuotaExceeded),
    (r"no valid host|not enough hosts|no more ip addresses|out of (host )?capacity|insufficient", errors.NoCapacity),
    (r"maximum number of retries|no more addresses|exhausted", errors.NoCapacity),
    (
        r"while it is in (vm_state|task_state|status)|is locked|in an invalid state|has not been resized",
        errors.WrongState,
    ),
    (r"already exists|already (in use|associated)|duplicate", errors.NameTaken),
    (r"volume status must be|in.?use\b|still (has|have)|is being used", errors.InUse),
    (r"zero disk|block.?device|\bvolume", errors.BadVolume),
    (r"multiple possible networks|\bnetwork|subnet|floating|\bport\b", errors.BadNetwork),
    (r"availability zone", BadZone),
    (r"server.?group|anti-?affinity", BadServerGroup),
    (r"security.?group", errors.BadFirewall),
    (r"adminPass|password", BadPassword),
    (r"user.?data", errors.BadUserData),
    (r"key.?name|key.?pair|public key|fingerprint", errors.BadKey),
    (r"flavor", errors.BadSize),
    (r"image", errors.BadImage),
)
ERRORS = errors.ErrorTable("openstack", advice=ADVICE, statuses=STATUSES, sentences=SENTENCES)


def classify(status: int, text: str, *, asking: bool = False) -> errors.ErrorClass:
    """The kind of an answer; `asking` when nothing was to be changed: 404 is then just "no"."""
    by_status = ERRORS.by_status(status)
    if by_status and (status >= 500 or status in (401, 408, 429) or (status == 404 and asking)):
        return by_status
    return ERRORS.by_sentence(text) or by_status or errors.CloudError


def translate(status: int, text: str, doing: str, *, asking: bool = False) -> errors.CloudError:
    """The error for an answer to `doing` (words for the call) that is none of success."""
    kind = classify(status, text, asking=asking)
    return ERRORS.error(kind, f"the cloud refused to {doing}", f"{status}: {text.strip()}", status=status)


def failure(name: str, fault: str) -> errors.CloudError:
    """Why the creation of a server or volume failed, from what the cloud notes on it."""
    return ERRORS.error(ERRORS.by_sentence(fault) or ServerFailed, f"the cloud gave up making {name}", fault)
