"""Which credential is used: one class of azure-identity, chosen by the Driver object.

https://learn.microsoft.com/python/api/overview/azure/identity-readme. Called by api.py only, inside its translation of
errors; the SDK is imported here when somebody really logs in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from machine.drivers.azure import settings

SIGNED_IN_AS = "machine"  # the name under which the SDK keeps what a device-code login gave it


def kind(data: Mapping[str, Any]) -> str:
    """secret, certificate, ..., or "auto" where the SDK looks for itself."""
    wanted = str(data.get("Login") or "auto")
    if wanted != "auto" or not data.get("ClientID"):
        return wanted
    return "secret" if data.get("ClientSecret") else "certificate" if data.get("ClientCertificate") else "auto"


def needs_tenant(data: Mapping[str, Any]) -> bool:
    """Whether the directory must be known before anything can be asked for."""
    return not data.get("TenantID") and kind(data) in ("secret", "certificate")


def credential(data: dict[str, Any], transport: Mapping[str, Any], say: Callable[[str], None]) -> Any:
    """A TokenCredential; `transport` are arguments of the SDK's HTTP pipeline, `say` tells the user what to type.

    Who logged in by device code is noted in `data` (names and ids, no secret), so that it need not be asked again.
    """
    from azure import identity

    client = str(data.get("ClientID") or "")
    where: dict[str, Any] = {"authority": settings.authority(data), **transport}
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
            found = _device_code(identity, data, {**tenant, **where}, say)
        case _:
            found = _unattended(identity, client, where)
    return found


def _unattended(identity: Any, client: str, where: Mapping[str, Any]) -> Any:
    """The SDK's own order, without what would open a window."""
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
    mine = {"managed_identity_client_id": client} if client else {}
    return identity.DefaultAzureCredential(**excluded, **mine, **where)


def _device_code(identity: Any, data: dict[str, Any], where: Mapping[str, Any], say: Callable[[str], None]) -> Any:
    """Asks once; afterwards the SDK's own cache of the user answers."""

    def prompt(address: str, code: str, _: object) -> None:
        say(f"to log in, open {address} in a browser and enter the code {code}")

    options: dict[str, Any] = dict(where)
    if data.get("ClientID"):
        options["client_id"] = data["ClientID"]
    if data.get("AuthenticationRecord"):
        options.pop("authority", None)  # the record has it
        options["authentication_record"] = identity.AuthenticationRecord.deserialize(data["AuthenticationRecord"])
    cache = identity.TokenCachePersistenceOptions(name=SIGNED_IN_AS, allow_unencrypted_storage=True)
    found = identity.DeviceCodeCredential(prompt_callback=prompt, cache_persistence_options=cache, **options)
    if not data.get("AuthenticationRecord"):
        data["AuthenticationRecord"] = found.authenticate(scopes=[settings.scope(data)]).serialize()
    return found
