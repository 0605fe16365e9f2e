"""What is different at ConoHa. Pure; https://doc.conoha.jp/reference/api-vps3/.

Its Keystone has one domain, `gnc`, for all customers; regions are part of the host names; root disks are volumes of
fixed sizes, made before the server; a server's name is its `instance_name_tag`; its network is chosen by ConoHa, and
the server's own port has a public address; root's password has rules; user data comes in one piece.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from machine.drivers.cloud.user_data import HostKey, UnknownKind, UserDataLimits, compose, kind

NAME = "conoha"
DOMAIN = "gnc"
AUTH_URL = "https://identity.c3j1.conoha.io/v3"
TAG = "instance_name_tag"
SMALL_RAM, SMALL_DISK, DISK = 512, 30, 100  # MB of the smallest plan; GB of its boot volume, and of all others'
SYMBOLS = "\\^$+-*/|()[]{}.,?!_=&@~%#:;'\""  # that may stand in a password
KINDS = (
    "text/cloud-config",
    "text/cloud-config-archive",
    "text/x-shellscript",
    "text/x-include-url",
    "text/cloud-boothook",
)
_PASSWORD = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[%s])[a-zA-Z0-9%s]{9,70}" % ((re.escape(SYMBOLS),) * 2))
_HOST = re.compile(r"[a-z-]+\.(?P<region>[a-z0-9]+)\.conoha\.io")


def is_host(url: str) -> bool:
    """Whether a URL is one of ConoHa's."""
    host = (urlsplit(url).hostname or "").lower()
    return host == "conoha.io" or host.endswith(".conoha.io")


def region(url: str) -> str:
    """The region in the host name of a URL, "" if there is none."""
    found = _HOST.fullmatch((urlsplit(url).hostname or "").lower())
    return found["region"] if found else ""


def name_tag(name: str) -> str:
    """A machine's name as ConoHa takes it: letters, digits, `-` and `_`."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:255]


def disk_size(ram: int) -> int:
    """GB of the boot volume for a flavor with `ram` MB."""
    return SMALL_DISK if ram <= SMALL_RAM else DISK


def boot_type(types: Sequence[str]) -> str:
    """Of a region's volume types the one to boot from, "" for ConoHa's choice."""
    return next((name for name in types if name.endswith("-boot")), "")


def is_password(text: str) -> bool:
    """Whether ConoHa takes it: 9 to 70 characters with a small and a capital letter, a digit and a symbol."""
    return _PASSWORD.fullmatch(text) is not None


def password() -> str:
    """A random password that nobody knows; who wants to log in on the console gives one."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(40)) + "aA0_"


def user_data(parts: Sequence[str]) -> str:
    """All parts in one piece that begins with a word ConoHa knows.

    Raises UnknownKind on a part that cannot be in there.
    """
    texts = [part for part in parts if part.strip()]
    for text in texts:
        if kind(text) not in KINDS:
            raise UnknownKind(f"ConoHa takes no {kind(text)}")
    if len(texts) < 2:
        return "".join(texts)
    return "#cloud-config-archive\n" + json.dumps([{"type": kind(text), "content": text} for text in texts], indent=1)


def _join(host_key: HostKey, own: str, more: str) -> str:
    return user_data([more, own, compose(host_key)])


USER_DATA = UserDataLimits("the cloud", "--openstack-user-data-file", 16 * 1024, _join)  # before base64


def metadata(name: str) -> Mapping[str, Any]:
    """What names the server in ConoHa's control panel."""
    return {TAG: name_tag(name)}
