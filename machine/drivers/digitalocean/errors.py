"""One class per way in which DigitalOcean says no, and the way from its answers to them.

The API has few error ids (https://docs.digitalocean.com/reference/api/digitalocean/#section/Introduction), and 422
`unprocessable_entity` stands for most of what can be wrong, so its sentence decides. The cloud's own text is in
`details`; `resolution` is what to do about it.
"""

from __future__ import annotations

import re

from machine.errors import DriverError


class DigitalOceanError(DriverError):
    """DigitalOcean refused, in a way that has no class of its own. `status` is HTTP's, 0 without an answer."""

    status = 0
    advice = "change what the message names; `machine create -d digitalocean --help` lists the flags"


class BadCredentials(DigitalOceanError):
    """The token is not accepted."""

    advice = (
        "set $DIGITALOCEAN_ACCESS_TOKEN to a token that is valid; "
        "https://cloud.digitalocean.com/account/api/tokens makes one"
    )


class NotAllowed(DigitalOceanError):
    """The token may not do that, or the account is locked."""

    advice = "use a token that may read and write; https://cloud.digitalocean.com tells whether the account is locked"


class NotFound(DigitalOceanError):
    """There is no such thing, or --digitalocean-endpoint is no such API."""

    advice = "check --digitalocean-endpoint, and whether somebody has removed it"


class NoCapacity(DigitalOceanError):
    """The region has no such machine to give."""

    advice = "try another --digitalocean-region or --digitalocean-size"


class QuotaExceeded(DigitalOceanError):
    """The account's limit is reached."""

    advice = (
        "remove what is not needed (`machine ls --filter driver=digitalocean` and `machine rm NAME`; `doctl compute"
        " droplet list`, `volume list`, `reserved-ip list` show all of the account), ask for more at"
        " https://cloud.digitalocean.com/account/team/droplet_limit, or use another --digitalocean-access-token"
    )


class BadImage(DigitalOceanError):
    """No such image, or not here, or not on that size."""

    advice = "choose another --digitalocean-image (`doctl compute image list --public` shows them)"


class BadSize(DigitalOceanError):
    """No such size."""

    advice = "choose another --digitalocean-size (`doctl compute size list` shows them)"


class BadRegion(DigitalOceanError):
    """No such region, or it takes no new machines."""

    advice = "choose another --digitalocean-region (`doctl compute region list` shows them)"


class BadKey(DigitalOceanError):
    """No such key, or the key is none that DigitalOcean takes."""

    advice = "check --digitalocean-ssh-key-fingerprint and --digitalocean-ssh-key-path"


class BadNetwork(DigitalOceanError):
    """No such VPC, or a reserved address that cannot be used."""

    advice = "check --digitalocean-vpc-uuid and --digitalocean-reserved-ip"


class BadFirewall(DigitalOceanError):
    """No such firewall, or it has no room."""

    advice = "check --digitalocean-firewall and --digitalocean-open-port"


class BadVolume(DigitalOceanError):
    """No such volume, or it cannot be attached here."""

    advice = "check --digitalocean-volume and --digitalocean-volume-size"


class BadUserData(DigitalOceanError):
    """What cloud-init shall be told cannot be sent."""

    advice = "check --digitalocean-userdata"


class NameTaken(DigitalOceanError):
    """Something of that name, or that very key, is there already."""

    advice = "choose another name for the machine"


class WrongState(DigitalOceanError):
    """The droplet is in the middle of something else."""

    advice = "try again when it has settled: machine status says where it is"


class InUse(DigitalOceanError):
    """Something else still needs what was to be removed."""

    advice = "try again once that is gone"


class RateLimited(DigitalOceanError):
    """Too many calls, also after waiting and repeating."""

    advice = "try again later (5000 calls an hour, 250 a minute); --digitalocean-retry-seconds waits longer"


class Unreachable(DigitalOceanError):
    """The API cannot be reached."""

    advice = "check the network, any proxy, and --digitalocean-endpoint"


class ApiTimeout(Unreachable):
    """The API did not answer in time."""

    advice = "try again; --digitalocean-api-timeout waits longer"


class ServiceBroken(DigitalOceanError):
    """The API answered with an error of its own, or with nonsense."""

    advice = (
        "try again later (https://status.digitalocean.com tells of known trouble), or check --digitalocean-endpoint"
    )


class DropletGone(DigitalOceanError):
    """DigitalOcean does not know the droplet any more."""


UNANSWERED = (Unreachable, ServiceBroken)  # after which nobody knows whether it was done

BY_STATUS: dict[int, type[DigitalOceanError]] = {
    401: BadCredentials,
    403: NotAllowed,
    404: NotFound,
    429: RateLimited,
}
BY_WORDS: tuple[tuple[str, type[DigitalOceanError]], ...] = (  # of 400, 409, 412 and 422; the first that fits
    (r"pending event|already (powered )?(on|off)\b|is (currently )?(on|off)\b|locked", WrongState),
    (r"already in use|already been taken|already exists|duplicate|must be unique", NameTaken),
    (r"attached|in use|still (has|have)|being (used|deleted)", InUse),
    (r"limit|quota|exceed", QuotaExceeded),
    (r"not available|unavailable|no capacity|sold out|out of stock|insufficient", NoCapacity),
    (r"ssh.?key|public.?key|fingerprint|\bkey\b", BadKey),
    (r"user.?data", BadUserData),
    (r"firewall|inbound|outbound|\brule", BadFirewall),
    (r"volume", BadVolume),
    (r"image", BadImage),
    (r"size", BadSize),
    (r"vpc|reserved|floating", BadNetwork),
    (r"region", BadRegion),
)
LONGEST = 500  # characters of the cloud's text that are shown


def classify(status: int, text: str) -> type[DigitalOceanError]:
    """The class of an answer."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return ServiceBroken
    return next((cls for words, cls in BY_WORDS if re.search(words, text, re.IGNORECASE)), DigitalOceanError)


def refused(status: int, text: str, doing: str) -> DigitalOceanError:
    """The error for an answer to `doing` (words for the call) that is none of success."""
    cls = classify(status, text)
    return made(cls, f"DigitalOcean refused to {doing}", f"{status}: {text.strip()}"[:LONGEST], status)


def made(cls: type[DigitalOceanError], brief: str, text: str = "", status: int = 0) -> DigitalOceanError:
    """An error of that class with its advice."""
    error = cls(brief, details=text.strip()[:LONGEST], resolution=cls.advice)
    error.status = status
    return error
