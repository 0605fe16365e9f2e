"""Which credential is used: one class of azure-identity, chosen by the config.

https://learn.microsoft.com/python/api/overview/azure/identity-readme. Called by sdk.py only, inside its translation
of errors; the SDK is imported here when somebody really logs in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import device_code
from machine.drivers.azure.config import Config
from machine.drivers.base import DriverContext
from machine.drivers.cloud.requests import filled


def kind(config: Config) -> str:
    """secret, certificate, ..., or "auto" where the SDK looks for itself."""
    if config.login != "auto" or not config.client_id:
        return config.login
    if config.client_secret:
        return "secret"
    return "certificate" if config.client_certificate else "auto"


def needs_tenant(config: Config) -> bool:
    """Whether the directory must be known before anything can be asked for."""
    return not config.tenant_id and kind(config) in ("secret", "certificate")


def credential(config: Config, transport: Mapping[str, Any], ctx: DriverContext) -> Any:
    """A TokenCredential; `transport` are arguments of the SDK's HTTP pipeline.

    Who logged in by device code is noted in `config` (names and ids, no secret), so that it need not be asked again.
    """
    from azure import identity

    where: dict[str, Any] = {"authority": config.authority, **transport}
    if config.authority_host:
        where["disable_instance_discovery"] = True  # the public cloud knows nothing of that host
    principal = (config.tenant_id, config.client_id)
    tenant, named = filled({"tenant_id": config.tenant_id}), filled({"client_id": config.client_id})
    found: Any
    match kind(config):
        case "secret":
            found = identity.ClientSecretCredential(*principal, config.client_secret, **where)
        case "certificate":
            password = config.client_certificate_password or None
            found = identity.CertificateCredential(*principal, config.client_certificate, password=password, **where)
        case "managed-identity":
            found = identity.ManagedIdentityCredential(**named, **transport)
        case "workload-identity":
            found = identity.WorkloadIdentityCredential(**named, **tenant, **where)
        case "cli":
            found = identity.AzureCliCredential(**tenant)
        case "device-code":
            found = device_code.DeviceCodeCredential(identity, config, {**named, **tenant, **where}, ctx)
        case _:
            found = _unattended(identity, named, tenant, where)
    return found


def _unattended(identity: Any, named: Mapping[str, Any], tenant: Mapping[str, Any], where: Mapping[str, Any]) -> Any:
    """The SDK's own order, without what would open a window.

    Its chain gives neither authority nor tenant to two of its members: they are made anew, with both.
    """
    interactive = ("interactive_browser", "visual_studio_code", "broker")
    others = ("powershell", "developer_cli", "shared_token_cache")
    excluded = {f"exclude_{name}_credential": True for name in (*interactive, *others)}
    mine = {f"managed_identity_{key}": value for key, value in named.items()}
    mine |= {f"workload_identity_{key}": value for key, value in tenant.items()}
    chain = identity.DefaultAzureCredential(**excluded, **mine, **where)

    def remade(one: Any) -> Any:
        if isinstance(one, identity.WorkloadIdentityCredential):
            return identity.WorkloadIdentityCredential(**named, **tenant, **where)
        if isinstance(one, identity.AzureCliCredential):
            return identity.AzureCliCredential(**tenant)
        return one

    chain.credentials = tuple(remade(one) for one in chain.credentials)
    return chain
