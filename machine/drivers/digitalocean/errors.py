"""What DigitalOcean's answers mean, and what to do about each kind of error.

The API has few error ids (https://docs.digitalocean.com/reference/api/digitalocean/#section/Introduction), and 422
`unprocessable_entity` stands for most of what can be wrong, so its sentence decides.
"""

from __future__ import annotations

from machine.drivers.cloud import errors

ADVICE: dict[errors.ErrorClass, str] = {
    errors.BadCredentials: (
        "set $DIGITALOCEAN_ACCESS_TOKEN to a token that is valid; "
        "https://cloud.digitalocean.com/account/api/tokens makes one"
    ),
    errors.NotAllowed: (
        "use a token that may read and write; https://cloud.digitalocean.com tells whether the account is locked"
    ),
    errors.NotFound: "check --digitalocean-endpoint, and whether somebody has removed it",
    errors.NoCapacity: "try another --digitalocean-region or --digitalocean-size",
    errors.QuotaExceeded: (
        "remove what is not needed (`machine ls --filter driver=digitalocean` and `machine rm NAME`; `doctl "
        "compute droplet list`, `volume list`, `reserved-ip list` show all of the account), ask for more at "
        "https://cloud.digitalocean.com/account/team/droplet_limit, or use another "
        "--digitalocean-access-token"
    ),
    errors.BadImage: "choose another --digitalocean-image (`doctl compute image list --public` shows them)",
    errors.BadSize: "choose another --digitalocean-size (`doctl compute size list` shows them)",
    errors.BadRegion: "choose another --digitalocean-region (`doctl compute region list` shows them)",
    errors.BadKey: "check --digitalocean-ssh-key-fingerprint and --digitalocean-ssh-key-path",
    errors.BadNetwork: "check --digitalocean-vpc-uuid and --digitalocean-reserved-ip",
    errors.BadFirewall: "check --digitalocean-firewall and --digitalocean-open-port",
    errors.BadVolume: "check --digitalocean-volume and --digitalocean-volume-size",
    errors.BadUserData: "check --digitalocean-userdata",
    errors.RateLimited: "try again later (5000 calls an hour, 250 a minute); --digitalocean-retry-seconds waits longer",
    errors.Unreachable: "check the network, any proxy, and --digitalocean-endpoint",
    errors.ApiTimeout: "try again; --digitalocean-api-timeout waits longer",
    errors.ServiceBroken: (
        "try again later (https://status.digitalocean.com tells of known trouble), or check --digitalocean-endpoint"
    ),
}
SENTENCES: tuple[tuple[str, errors.ErrorClass], ...] = (  # of 400, 409, 412 and 422; the first that fits
    (r"pending event|already (powered )?(on|off)\b|is (currently )?(on|off)\b|locked", errors.WrongState),
    (r"already in use|already been taken|already exists|duplicate|must be unique", errors.NameTaken),
    (r"attached|in use|still (has|have)|being (used|deleted)", errors.InUse),
    (r"limit|quota|exceed", errors.QuotaExceeded),
    (r"not available|unavailable|no capacity|sold out|out of stock|insufficient", errors.NoCapacity),
    (r"ssh.?key|public.?key|fingerprint|\bkey\b", errors.BadKey),
    (r"user.?data", errors.BadUserData),
    (r"firewall|inbound|outbound|\brule", errors.BadFirewall),
    (r"volume", errors.BadVolume),
    (r"image", errors.BadImage),
    (r"size", errors.BadSize),
    (r"vpc|reserved|floating", errors.BadNetwork),
    (r"region", errors.BadRegion),
)
ERRORS = errors.ErrorTable("digitalocean", advice=ADVICE, statuses=errors.STATUSES, sentences=SENTENCES)


def translate(status: int, text: str, doing: str) -> errors.CloudError:
    """The error for an answer to `doing` (words for the call) that is none of success."""
    kind = ERRORS.kind_of(status=status, text=text)
    return ERRORS.error(kind, f"DigitalOcean refused to {doing}", f"{status}: {text.strip()}", status=status)
