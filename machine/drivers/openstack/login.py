"""Which credential is used, in words of openstacksdk's configuration. Pure.

https://docs.openstack.org/keystoneauth/latest/plugin-options.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.openstack import conoha
from machine.drivers.openstack.config import Config

DEFAULT_DOMAIN = "default"  # the id that every Keystone has


def arguments(config: Config) -> dict[str, Any]:
    """What the SDK is told over and above a clouds.yaml, or instead of one."""
    found: dict[str, Any] = {"api_timeout": float(config.api_timeout)}
    region = config.region or (conoha.region(config.auth_url) if config.is_conoha and not config.cloud else "")
    given = {"region_name": region, "interface": config.endpoint_type.removesuffix("URL"), "cacert": config.ca_cert}
    found |= {name: value for name, value in given.items() if value}
    if config.insecure:
        found["verify"] = False
    for service, _, url in (endpoint.partition("=") for endpoint in config.endpoints):
        found[f"{service.replace('-', '_')}_endpoint_override"] = url
    if not config.cloud:
        found["auth_type"] = f"v3{kind(config)}"
        found["auth"] = {"auth_url": config.auth_url, **_credential(config)}
    return found


def kind(config: Config) -> str:
    """password, token or applicationcredential."""
    if config.credential_id or config.credential_name:
        return "applicationcredential"
    with_password = config.password and (config.username or config.user_id)
    return "token" if config.token and not with_password else "password"


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


def _credential(config: Config) -> dict[str, Any]:
    match kind(config):
        case "applicationcredential":
            secret = {"application_credential_secret": config.credential_secret}
            if config.credential_id:
                return {"application_credential_id": config.credential_id, **secret}
            return {"application_credential_name": config.credential_name, **secret, **_user(config)}
        case "token":
            return {"token": config.token, **_project(config)}
        case _:
            return {"password": config.password, **_user(config), **_project(config)}


def _user(config: Config) -> dict[str, Any]:
    if config.user_id:
        return {"user_id": config.user_id}
    domains = ((config.user_domain_id, config.user_domain_name), (config.domain_id, config.domain_name))
    return {"username": config.username, **_domain("user", config, domains)}


def _project(config: Config) -> dict[str, Any]:
    if config.tenant_id:
        return {"project_id": config.tenant_id}
    if not config.tenant_name:
        return {}
    domains = (
        (config.tenant_domain_id, config.tenant_domain_name),
        (config.domain_id, config.domain_name),
        (config.user_domain_id, config.user_domain_name),
    )
    return {"project_name": config.tenant_name, **_domain("project", config, domains)}


def _domain(whose: str, config: Config, domains: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The first domain (id, name) that is given; of ConoHa its own, elsewhere the default one."""
    for domain_id, name in domains:
        if domain_id:
            return {f"{whose}_domain_id": domain_id}
        if name:
            return {f"{whose}_domain_name": name}
    if config.is_conoha:
        return {f"{whose}_domain_name": conoha.DOMAIN}
    return {f"{whose}_domain_id": DEFAULT_DOMAIN}
