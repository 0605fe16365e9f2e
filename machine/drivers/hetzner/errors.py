"""What Hetzner's answers mean, and what to do about each kind of error.

Codes: https://docs.hetzner.cloud/reference/cloud#description/errors. "Invalid input" stands for most of what can
be wrong; the fields that it names and its sentence decide.
"""

from __future__ import annotations

from machine.drivers.cloud import errors

CONSOLE = "https://console.hetzner.cloud"
ADVICE: dict[errors.ErrorClass, str] = {
    **errors.api_advice("hetzner", "https://status.hetzner.com"),
    errors.BadCredentials: f"set $HETZNER_API_TOKEN to a token that is valid; {CONSOLE} makes one",
    errors.NotAllowed: f"use a token of the kind Read & Write; {CONSOLE} makes one (Security, API tokens)",
    errors.NoCapacity: "try another --hetzner-server-location or --hetzner-server-type, or later",
    errors.QuotaExceeded: f"remove what is not needed (`hcloud all list` shows it), or ask for more at {CONSOLE}",
    errors.BadImage: "choose another --hetzner-image (`hcloud image list` shows them)",
    errors.BadSize: "choose another --hetzner-server-type (`hcloud server-type list` shows them)",
    errors.BadRegion: "choose another --hetzner-server-location (`hcloud location list` shows them)",
    errors.BadKey: "check --hetzner-existing-key-id, --hetzner-existing-key-path and --hetzner-additional-key",
    errors.BadNetwork: "check --hetzner-networks, --hetzner-primary-ipv4 and --hetzner-primary-ipv6",
    errors.BadFirewall: "check --hetzner-firewalls and --hetzner-open-port",
    errors.BadVolume: "check --hetzner-volumes",
    errors.BadUserData: "check --hetzner-user-data and --hetzner-user-data-file",
    errors.Protected: f"take the protection from it at {CONSOLE}, and try again",
}
CODES: dict[errors.ErrorClass, str] = {
    errors.BadCredentials: "unauthorized",
    errors.NotAllowed: "forbidden token_readonly",
    errors.NotFound: "not_found",
    errors.NoCapacity: "resource_unavailable placement_error",
    errors.QuotaExceeded: "resource_limit_exceeded",
    errors.NameTaken: "uniqueness_error",
    errors.WrongState: "locked conflict",
    errors.InUse: "resource_in_use",
    errors.Protected: "protected",
    errors.RateLimited: "rate_limit_exceeded",
    errors.ApiTimeout: "timeout",
    errors.ServiceBroken: "service_error server_error maintenance unavailable bad_gateway",
}
SENTENCES: tuple[tuple[str, errors.ErrorClass], ...] = (  # codes of one kind of thing, and invalid input
    (r"user.?data", errors.BadUserData),
    (r"ssh.?key|public.?key", errors.BadKey),
    (r"firewall|\brules?\b", errors.BadFirewall),
    (r"volume", errors.BadVolume),
    (r"network|subnet|primary.?ip|public.?net|\bip_", errors.BadNetwork),
    (r"image", errors.BadImage),
    (r"server.?type", errors.BadSize),
    (r"location", errors.BadRegion),
)
ERRORS = errors.ErrorTable("hetzner", advice=ADVICE, codes=CODES, statuses=errors.STATUSES, sentences=SENTENCES)


def translate(code: str | int, text: str, doing: str, blamed: str = "") -> errors.CloudError:
    """The error for an answer to `doing` (words for the call): `code` is Hetzner's word, or the HTTP status alone.

    `blamed` are the fields that it names. They decide before its sentence, in which names of the user's stand too.
    """
    if isinstance(code, int):  # something that is not Hetzner's API, or not its version 1
        kind = ERRORS.kind_of(status=code, otherwise=errors.ServiceBroken)
    else:
        kind = ERRORS.kind_of(code=code, blamed=blamed, text=text, otherwise=errors.BadRequest)
    return ERRORS.refusal(kind, f"Hetzner refused to {doing}", str(code), text, code=str(code))
