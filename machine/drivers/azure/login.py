"""Which credential is used: one class of azure-identity, chosen by the Driver object.

https://learn.microsoft.com/python/api/overview/azure/identity-readme. Called by client.py only, inside its translation
of errors; the SDK is imported here when somebody really logs in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import config, device_code
from machine.drivers.base import DriverContext


def kind(data: Mapping[str, Any]) -> str:
    """secret, certificate, ..., or "auto" where the SDK looks for itself."""
    wanted = str(data.get("Login") or "auto")
    if wanted != "auto" or not data.get("ClientID"):
        return wanted
    return "secret" if data.get("ClientSecret") else "certificate" if data.get("ClientCertificate") else "auto"


def needs_tenant(data: Mapping[str, Any]) -> bool:
    """Whether the directory must be known before anything can be asked for."""
    return not data.get("TenantID") and kind(data) in ("secret", "certificate")


def credential(data: dict[str, Any], transport: Mapping[str, Any], ctx: DriverContext) -> Any:
    """A TokenCredential; `transport` are arguments of the SDK's HTTP pipeline.

    Who logged in by device code is noted in `data` (names and ids, no secret), so that it need not be asked again.
    """
    from azure import identity

    client = str(data.get("ClientID") or "")
    where: dict[str, Any] = {"authority": config.authority(data), **transport}
    if data.get("AuthorityHost"):
        where["disable_instance_discovery"] = True  # the public cloud knows nothing of that host
    tenant = {"tenant_id": data["TenantID"]} if data.get("TenantID") else {}
    named: dict[str, Any] = {"client_id": client} if client else {}
    found: Any
    match kind(data):
        case "secret":
            found = identity.ClientSecretCredential(str(data["TenantID"]), client, str(data["ClientSecret"]), **where)
        case "certificate":
            password = data.get("ClientCertificatePassword") or None
            path = str(data["ClientCertificate"])
            found = identity.CertificateCredential(str(data["TenantID"]), client, path, password=password, **where)
        case "managed-identity":
            found = identity.ManagedIdentityCredential(**named, **transport)
        case "workload-identity":
            found = identity.WorkloadIdentityCredential(**named, **tenant, **where)
        case "cli":
            found = identity.AzureCliCredential(**tenant)
        case "device-code":
            found = device_code.DeviceCodeCredential(identity, data, {**named, **tenant, **where}, ctx)
        case _:
            found = _unattended(identity, named, tenant, where)
    return found


def _unattended(identity: Any, named: Mapping[str, Any], tenant: Mapping[str, Any], where: Mapping[str, Any]) -> Any:
    """The SDK's own order, without what would open a window.

    Its chain gives neither authority nor tenant to two of its members: they are made anew, with both.
    """
    excluded = {
        f"exclude_{name}_credential": True
        for name in (
            "powershell",
            "developer_cli",
            "interactive_browser",
            "visual_studio_code",
            "shared_token_cache",
            "broker",
        )
    }
    mine = {f"managed_identity_{key}": value for key, value in named.items()}
    mine |= {f"workload_identity_{key}": value for key, value in tenant.items()}
    chain = identity.DefaultAzureCredential(**excluded, **mine, **where)

    def told(one: Any) -> Any:
        if isinstance(one, identity.WorkloadIdentityCredential):
            return identity.WorkloadIdentityCredential(**named, **tenant, **where)
        return identity.AzureCliCredential(**tenant) if isinstance(one, identity.AzureCliCredential) else one

    chain.credentials = tuple(told(one) for one in chain.credentials)
    return chain
