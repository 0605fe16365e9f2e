"""What a machine of driver openstack shall be: option values, checked, as the Driver object of config.json.

The keys are docker-machine's where it has them, then those of its fork, then ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from machine.drivers.cloud import ports
from machine.drivers.cloud.flags import Flags, absolute
from machine.drivers.gaps import MissingOption, check_complete
from machine.drivers.openstack import conoha
from machine.drivers.openstack.options import GROUP, PROFILES, RETRIES
from machine.errors import UsageError
from machine.options import Values

FLAGS = Flags("openstack")

PLAIN = {  # option (without its prefix) -> key, where the value is kept as it is
    "auth-url": "AuthUrl",
    "cloud": "Cloud",
    "insecure": "Insecure",
    "username": "Username",
    "user-id": "UserId",
    "password": "Password",
    "token": "Token",
    "application-credential-id": "ApplicationCredentialId",
    "application-credential-name": "ApplicationCredentialName",
    "application-credential-secret": "ApplicationCredentialSecret",
    "domain-name": "DomainName",
    "domain-id": "DomainID",
    "user-domain-name": "UserDomainName",
    "user-domain-id": "UserDomainId",
    "region": "Region",
    "api-timeout": "ApiTimeout",
    "retries": "Retries",
    "availability-zone": "AvailabilityZone",
    "server-group-name": "ServerGroupName",
    "server-group-id": "ServerGroupId",
    "ssh-user": "SSHUser",
    "ssh-port": "SSHPort",
    "keypair-name": "KeyPairName",
    "admin-password": "AdminPass",
    "config-drive": "ConfigDrive",
    "metadata": "Metadata",
    "active-timeout": "ActiveTimeout",
    "volume-size": "VolumeSize",
    "volume-type": "VolumeType",
    "volume-name": "VolumeName",
    "volume-id": "VolumeId",
    "volume-device-path": "VolumeDevicePath",
    "net-name": "NetworkName",
    "net-id": "NetworkId",
    "nova-network": "ComputeNetwork",
    "floatingip-pool": "FloatingIpPool",
    "ip-version": "IpVersion",
    "flavor-name": "FlavorName",
    "flavor-id": "FlavorId",
    "image-name": "ImageName",
    "image-id": "ImageId",
}
OLD_AND_NEW = {  # key -> the same thing under two names
    "TenantName": ("project-name", "tenant-name"),
    "TenantId": ("project-id", "tenant-id"),
    "TenantDomainName": ("project-domain-name", "tenant-domain-name"),
    "TenantDomainId": ("project-domain-id", "tenant-domain-id"),
}
BY_NAME_OR_ID = ("flavor", "image", "net", "server-group")
KEYS_OF_OTHERS = {"DomainId": "DomainID"}  # docker-machine's forks spell some keys otherwise
CONFIG_KINDS = ("yaml", "yml", "json")
INTERFACES = ("public", "internal", "admin")
SERVICES = ("block-storage", "compute", "identity", "image", "network", "volume", "volumev3")  # that are asked
LOGIN = {  # key -> option: what a cloud of clouds.yaml says itself
    "AuthUrl": "auth-url",
    "Username": "username",
    "UserId": "user-id",
    "Password": "password",
    "Token": "token",
    "ApplicationCredentialId": "application-credential-id",
    "ApplicationCredentialName": "application-credential-name",
    "ApplicationCredentialSecret": "application-credential-secret",
    "TenantName": "project-name",
    "TenantId": "project-id",
    "DomainName": "domain-name",
    "DomainId": "domain-id",
    "UserDomainName": "user-domain-name",
    "UserDomainId": "user-domain-id",
    "TenantDomainName": "project-domain-name",
    "TenantDomainId": "project-domain-id",
}
_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")
SPANS = {  # flag -> the least and the most
    "ssh-port": (1, 65535),
    "api-timeout": (1, 3600),
    "retries": (0, 100),
    "active-timeout": (1, 86400),
    "volume-size": (0, 65536),
}


def from_values(values: Values) -> dict[str, Any]:
    """The Driver object that option values ask for; UsageError names the flag that makes no sense."""

    def value(flag: str) -> Any:
        return values[f"openstack-{flag}"]

    data: dict[str, Any] = {key: value(flag) for flag, key in PLAIN.items()}
    for key, (new, old) in OLD_AND_NEW.items():
        data[key] = _same(new, old, values)
    data["AuthUrl"] = str(value("auth-url")).strip()
    data["Profile"] = _profile(value("profile"), data["AuthUrl"], data["Cloud"])
    key = str(value("private-key-file"))
    check_complete("openstack", [*_login_gaps(data), *_machine_gaps(data), *_key_gaps(data, key)])
    _check_login(data)
    _check_machine(data)
    FLAGS.check_spans(values, SPANS)
    if value("ip-version") not in (4, 6):
        raise FLAGS.wrong("ip-version", value("ip-version"), "4 or 6")
    if value("ip-version") == 6 and data["FloatingIpPool"]:
        raise UsageError(
            "floating addresses are of IPv4, and --openstack-ip-version is 6",
            resolution="leave --openstack-floatingip-pool out ($OS_FLOATINGIP_POOL counts too), or the version",
        )
    data["EndpointType"] = _interface(value("endpoint-type"))
    data["Endpoints"] = [_endpoint(text) for text in value("endpoint")]
    data["CaCert"] = absolute(value("cacert"))
    data["ClientConfigFile"] = absolute(value("client-config-file"))
    data["UserDataFile"] = absolute(value("user-data-file"))
    _check_key(data, value("private-key-file"))
    metadata(data["Metadata"])
    _check_groups(data, value)
    volume = ("VolumeSize", "VolumeType", "VolumeName", "VolumeId", "VolumeDevicePath")
    data["BootFromVolume"] = bool(value("boot-from-volume") or any(data[key] for key in volume))
    return data


def normalized(data: Mapping[str, Any]) -> dict[str, Any]:
    """A stored Driver object with the keys that we know it by."""
    return {KEYS_OF_OTHERS.get(key, key): value for key, value in data.items()}


def is_conoha(data: Mapping[str, Any]) -> bool:
    """Whether the cloud is ConoHa. Records of docker-machine have no profile: their URL tells."""
    found = data.get("Profile") or _profile("auto", str(data.get("AuthUrl") or ""), str(data.get("Cloud") or ""))
    return bool(found == conoha.NAME)


def clouds_file(data: Mapping[str, Any]) -> str:
    """The clouds.yaml of the directory we are in, where the SDK looks first and later commands may not be; "": none."""
    if not data.get("Cloud") or data.get("ClientConfigFile"):
        return ""
    return next((os.path.abspath(f"clouds.{kind}") for kind in CONFIG_KINDS if os.path.exists(f"clouds.{kind}")), "")


def region(data: Mapping[str, Any]) -> str:
    """The wanted region, "" for the cloud's first."""
    wanted = str(data.get("Region") or "")
    here = is_conoha(data) and not data.get("Cloud")
    return wanted or (conoha.region(str(data.get("AuthUrl") or "")) if here else "")


def retries(data: Mapping[str, Any]) -> int:
    """How often a call is repeated. Records of docker-machine do not say."""
    found = data.get("Retries")
    return RETRIES if found is None else int(found)


def metadata(text: str) -> dict[str, str]:
    """`key,value,key,value` as a mapping; UsageError on an odd number of words, and on the key that is ours."""
    found = FLAGS.pairs("metadata", text)
    for key in found:
        if not key or key == "machine-id" or len(key) > 255:
            raise FLAGS.wrong("metadata", key, "other keys; machine-id is set")
    return found


def endpoints(data: Mapping[str, Any]) -> dict[str, str]:
    """Service type -> URL, where it is not to be the cloud's."""
    pairs = (str(text).partition("=") for text in data.get("Endpoints") or [])
    return {service: url for service, _, url in pairs}


def _profile(wanted: str, url: str, cloud: str = "") -> str:
    """openstack or conoha; "" when only the clouds.yaml can tell."""
    word = wanted.strip().lower()
    if word not in PROFILES:
        raise FLAGS.wrong("profile", wanted, "one of " + ", ".join(PROFILES))
    if word == "auto" and cloud:
        return ""
    if word == "auto":
        return conoha.NAME if conoha.is_host(url) else "openstack"
    return word


def _login_gaps(data: Mapping[str, Any]) -> list[MissingOption]:
    """What is missing to log in: clouds.yaml has it all, else a URL and one of the three ways are needed."""
    if data["Cloud"]:
        return []
    gaps = []
    if not data["AuthUrl"]:
        gaps.append(
            MissingOption(
                "the driver openstack needs to know the cloud",
                "set $OS_AUTH_URL, add --openstack-auth-url, or name a cloud of clouds.yaml: --openstack-cloud",
                credential=True,
            )
        )
    named, secret = (data[f"ApplicationCredential{part}"] for part in ("Name", "Secret"))
    has_user = data["Username"] or data["UserId"]
    if data["ApplicationCredentialId"] or named:
        if not secret:
            gaps.append(_gap("application-credential-secret", "an application credential"))
        if not data["ApplicationCredentialId"] and not has_user:
            gaps.append(_gap("username", "an application credential named by its name"))
        return gaps
    if not data["Token"] and not has_user:
        gaps.append(_gap("username", "the driver openstack"))
    if not data["Token"] and not data["Password"]:
        gaps.append(_gap("password", "the user"))
    if not (data["TenantName"] or data["TenantId"]):
        gaps.append(_gap("project-name", "the token" if data["Token"] else "the user"))
    return gaps


def _machine_gaps(data: Mapping[str, Any]) -> list[MissingOption]:
    """What is missing to make a server: its size and what it boots from."""
    return [
        MissingOption(
            f"the driver openstack needs to know the {flag}",
            f"add --openstack-{flag}-name; `openstack {flag} list` shows them",
        )
        for flag, key in (("flavor", "Flavor"), ("image", "Image"))
        if not (data[f"{key}Name"] or data[f"{key}Id"]) and not (key == "Image" and data["VolumeId"])
    ]


def _key_gaps(data: Mapping[str, Any], path: str) -> list[MissingOption]:
    """The private key of a key pair that exists, if it is missing."""
    if not data["KeyPairName"] or path:
        return []
    return [
        MissingOption(
            "--openstack-keypair-name needs the private key that belongs to it",
            "add --openstack-private-key-file PATH, or leave the name out to have a key pair made",
        )
    ]


def _check_login(data: Mapping[str, Any]) -> None:
    """UsageError on a URL that is none."""
    if data["AuthUrl"] and not data["Cloud"] and not _URL.fullmatch(data["AuthUrl"]):
        raise FLAGS.wrong("auth-url", data["AuthUrl"], "a URL such as https://HOST:5000/v3")


def _check_machine(data: Mapping[str, Any]) -> None:
    for flag in BY_NAME_OR_ID:
        key = {"net": "Network", "server-group": "ServerGroup"}.get(flag, flag.capitalize())
        if data[f"{key}Name"] and data[f"{key}Id"]:
            raise UsageError(
                f"--openstack-{flag}-name and --openstack-{flag}-id exclude each other",
                resolution="give one of the two",
            )
    if data["VolumeId"] and (data["VolumeSize"] or data["VolumeType"] or data["VolumeName"]):
        raise UsageError(
            "--openstack-volume-id names a volume that exists: it has its size, type and name already",
            resolution="leave --openstack-volume-size, -type and -name out, or --openstack-volume-id",
        )
    check_conoha(data)


def detect_profile(data: dict[str, Any], url: str) -> None:
    """Settle the profile by the URL in the clouds.yaml, if it is still open; UsageError as `check_conoha`."""
    if not data.get("Profile"):
        data["Profile"] = _profile("auto", url)
        check_conoha(data)


def unused_options(data: Mapping[str, Any]) -> list[str]:
    """The flags that are given and not used, since the clouds.yaml has what they say."""
    return [f"--openstack-{flag}" for key, flag in LOGIN.items() if data.get("Cloud") and data.get(key)]


def check_conoha(data: Mapping[str, Any]) -> None:
    """UsageError for what ConoHa has not, or does not take."""
    if not is_conoha(data):
        return
    if data.get("AdminPass") and not conoha.is_password(data["AdminPass"]):
        raise UsageError(
            "ConoHa does not take that --openstack-admin-password",
            resolution="give 9 to 70 characters with a small and a capital letter, a digit and a symbol",
        )
    if data.get("FloatingIpPool"):
        raise UsageError(
            "ConoHa has no floating addresses: a server's own address is a public one",
            resolution="leave --openstack-floatingip-pool out",
        )


def _check_key(data: dict[str, Any], path: str) -> None:
    data["ExistingKey"] = bool(data["KeyPairName"])
    data["PrivateKeyFile"] = absolute(path)


def _check_groups(data: dict[str, Any], value: Any) -> None:
    data["SecurityGroups"] = [name.strip() for name in value("sec-groups").split(",") if name.strip()] or [GROUP]
    data["OpenPorts"] = [FLAGS.port(text) for text in value("open-port")]
    data["AllowFrom"] = [FLAGS.network(text) for text in value("allow-from")]
    data["OwnGroup"] = ports.group_name(GROUP, data["AllowFrom"])
    if (data["OpenPorts"] or data["AllowFrom"]) and GROUP not in data["SecurityGroups"]:
        raise UsageError(
            f"--openstack-open-port and --openstack-allow-from are for the group {GROUP}",
            resolution=f"add {GROUP} to --openstack-sec-groups, or change the rules of your own groups instead",
        )

    data["SecurityGroups"] = [data["OwnGroup"] if name == GROUP else name for name in data["SecurityGroups"]]


def own_group(data: Mapping[str, Any]) -> str:
    """The name of the group that machines make and share; records of before there were several have none."""
    return str(data.get("OwnGroup") or GROUP)


def _interface(text: str) -> str:
    word = text.strip().removesuffix("URL")
    if word not in ("", *INTERFACES):
        raise FLAGS.wrong("endpoint-type", text, "one of " + ", ".join(INTERFACES))
    return word


def _endpoint(text: str) -> str:
    service, _, url = text.strip().partition("=")
    if not _URL.fullmatch(url):
        raise FLAGS.wrong("endpoint", text, "SERVICE=URL, such as compute=https://HOST:8774/v2.1")
    if service not in SERVICES:
        raise FLAGS.wrong("endpoint", text, "the URL of one of " + ", ".join(SERVICES))
    return f"{service}={url}"


def _same(flag: str, other: str, values: Values) -> str:
    first, second = str(values[f"openstack-{flag}"]), str(values[f"openstack-{other}"])
    if first and second and first != second:
        raise UsageError(
            f"--openstack-{flag} and --openstack-{other} differ",
            resolution="they mean the same: give one (their variables count too)",
        )
    return first or second


def _gap(flag: str, who: str) -> MissingOption:
    variable = "OS_" + flag.upper().replace("-", "_")
    return MissingOption(
        f"{who} needs --openstack-{flag}",
        f"set ${variable}, add --openstack-{flag}, or name a cloud of clouds.yaml: --openstack-cloud",
        credential=True,
    )
