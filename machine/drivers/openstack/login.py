"""Which credential is used, in words of openstacksdk's configuration. Pure.

https://docs.openstack.org/keystoneauth/latest/plugin-options.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.openstack import config, conoha

Data = Mapping[str, Any]
DEFAULT_DOMAIN = "default"  # the id that every Keystone has


def arguments(data: Data) -> dict[str, Any]:
    """What the SDK is told over and above a clouds.yaml, or instead of one."""
    found: dict[str, Any] = {"api_timeout": float(data.get("ApiTimeout") or 60)}
    if region := config.region(data):
        found["region_name"] = region
    if data.get("EndpointType"):
        found["interface"] = str(data["EndpointType"]).removesuffix("URL")
    if data.get("CaCert"):
        found["cacert"] = data["CaCert"]
    if data.get("Insecure"):
        found["verify"] = False
    for service, url in config.endpoints(data).items():
        found[f"{service.replace('-', '_')}_endpoint_override"] = url
    if not data.get("Cloud"):
        found["auth_type"] = f"v3{kind(data)}"
        found["auth"] = {"auth_url": data.get("AuthUrl"), **_credential(data)}
    return found


def kind(data: Data) -> str:
    """password, token or applicationcredential."""
    if data.get("ApplicationCredentialId") or data.get("ApplicationCredentialName"):
        return "applicationcredential"
    with_password = data.get("Password") and (data.get("Username") or data.get("UserId"))
    return "token" if data.get("Token") and not with_password else "password"


def without_version(url: str) -> tuple[str, str]:
    """A Keystone URL as its root and the version that it ends with: "v3", "v2.0" or ""."""
    root, _, last = url.rstrip("/").rpartition("/")
    return (root, last) if last in ("v3", "v2.0") else (url.rstrip("/"), "")


def offers_v3(document: object) -> bool:
    """Whether a version document of Keystone's names Identity v3."""
    if not isinstance(document, Mapping):
        return False
    found = document.get("versions") or [document.get("version")]
    if isinstance(found, Mapping):
        found = found.get("values")
    entries = found if isinstance(found, list) else []
    return any(isinstance(entry, Mapping) and str(entry.get("id")).startswith("v3") for entry in entries)


def _credential(data: Data) -> dict[str, Any]:
    match kind(data):
        case "applicationcredential":
            secret = {"application_credential_secret": data.get("ApplicationCredentialSecret")}
            if data.get("ApplicationCredentialId"):
                return {"application_credential_id": data["ApplicationCredentialId"], **secret}
            return {"application_credential_name": data["ApplicationCredentialName"], **secret, **_user(data)}
        case "token":
            return {"token": data["Token"], **_project(data)}
        case _:
            return {"password": data.get("Password"), **_user(data), **_project(data)}


def _user(data: Data) -> dict[str, Any]:
    if data.get("UserId"):
        return {"user_id": data["UserId"]}
    return {"username": data.get("Username"), **_domain("user", data, ("UserDomain", "Domain"))}


def _project(data: Data) -> dict[str, Any]:
    if data.get("TenantId"):
        return {"project_id": data["TenantId"]}
    if not data.get("TenantName"):
        return {}
    return {"project_name": data["TenantName"], **_domain("project", data, ("TenantDomain", "Domain", "UserDomain"))}


def _domain(whose: str, data: Data, keys: tuple[str, ...]) -> dict[str, Any]:
    """The first domain that is given; of ConoHa its own, elsewhere the default one."""
    for key in keys:
        if found := data.get(f"{key}Id") or data.get(f"{key}ID"):
            return {f"{whose}_domain_id": found}
        if data.get(f"{key}Name"):
            return {f"{whose}_domain_name": data[f"{key}Name"]}
    if config.is_conoha(data):
        return {f"{whose}_domain_name": conoha.DOMAIN}
    return {f"{whose}_domain_id": DEFAULT_DOMAIN}
