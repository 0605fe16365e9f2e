"""Ways to log in, through the real azure-identity against the fake directory."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure import login
from machine.drivers.azure.api import Api
from machine.errors import DriverError, PreflightFailed
from tests.drivers.azure.cloud import Azure
from tests.drivers.azure.directory import CLIENT, SECRET, TENANT
from tests.drivers.cloud import new


def asked(cloud: Azure, **given: Any) -> tuple[Api, list[str]]:
    """An Api that has listed sizes, and what it said to the user."""
    said: list[str] = []
    driver = new(cloud, Path(cloud.ca).parent / "driver", **given)
    api = Api(driver.dump(), said.append)
    assert api.sizes()
    return api, said


def certificate(directory: Path) -> tuple[Path, bytes]:
    """(a service principal's file with RSA key and certificate, the certificate)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "principal")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    public = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "principal.pem"
    path.write_bytes(private + public)
    return path, public


def test_a_secret(cloud: Azure) -> None:
    asked(cloud)
    assert cloud.arm.directory.scopes == [f"{cloud.door.url}/.default"]


def test_a_certificate(cloud: Azure, tmp_path: Path) -> None:
    path, public = certificate(tmp_path)
    cloud.arm.directory.certificate = public
    cloud.credentials = dict  # type: ignore[method-assign]
    asked(cloud, **{"azure-client-certificate": str(path)})


def test_the_directory_is_found_when_it_is_not_named(cloud: Azure) -> None:
    api, _ = asked(cloud, **{"azure-tenant-id": ""})
    assert api.data["TenantID"] == TENANT
    assert cloud.door.names()[0] == "GET subscriptions"


def test_a_device_code_is_asked_for_once(cloud: Azure) -> None:
    cloud.credentials = dict  # type: ignore[method-assign]
    given = {"azure-login": "device-code", "azure-client-id": ""}
    api, said = asked(cloud, **given)
    assert [line for line in said if "ABCD1234" in line]
    assert "refresh" not in api.data["AuthenticationRecord"]
    again = Api(api.data, said.append)
    assert again.sizes()
    assert len(said) == 1, "the SDK's cache answers"


def test_nobody_is_logged_in(cloud: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    cloud.credentials = dict  # type: ignore[method-assign]
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path, **{"azure-login": "cli"}).check()
    assert "az login" in caught.value.resolution
    assert type(caught.value).__name__ == "BadCredentials"


def test_az_login(cloud: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The `az` of the PATH is asked for a token."""
    program = tmp_path / "az"
    cloud.arm.directory.tokens.add("from-az")
    program.write_text(
        f'#!{sys.executable}\nprint(\'{{"accessToken": "from-az", "expiresOn": "2099-01-01 00:00:00.000000"}}\')\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    cloud.credentials = dict  # type: ignore[method-assign]
    asked(cloud, **{"azure-login": "cli", "azure-client-id": ""})
    assert cloud.arm.directory.scopes == []


def test_a_wrong_secret(cloud: Azure, tmp_path: Path) -> None:
    cloud.credentials = lambda: {"AZURE_CLIENT_SECRET": "wrong"}  # type: ignore[method-assign]
    with pytest.raises(DriverError) as caught:
        new(cloud, tmp_path).check()
    assert type(caught.value).__name__ == "BadCredentials"
    assert "AADSTS7000215" in caught.value.details
    assert "wrong" not in caught.value.details


def test_an_unknown_application(cloud: Azure, tmp_path: Path) -> None:
    with pytest.raises(DriverError) as caught:
        new(cloud, tmp_path, **{"azure-client-id": CLIENT.replace("2", "3")}).check()
    assert type(caught.value).__name__ == "BadCredentials"
    assert SECRET not in caught.value.details + caught.value.brief


@pytest.mark.parametrize(
    ("data", "cls"),
    [
        ({}, "DefaultAzureCredential"),
        ({"ClientID": "c"}, "DefaultAzureCredential"),
        ({"ClientID": "c", "ClientSecret": "s"}, "ClientSecretCredential"),
        ({"Login": "managed-identity"}, "ManagedIdentityCredential"),
        ({"Login": "managed-identity", "ClientID": "c"}, "ManagedIdentityCredential"),
        ({"Login": "workload-identity"}, "WorkloadIdentityCredential"),
        ({"Login": "cli"}, "AzureCliCredential"),
    ],
)
def test_which_credential(data: dict[str, Any], cls: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK's class for each way; making one asks nobody."""
    pytest.importorskip("azure.identity", reason="needs the SDK: pip install '.[azure]'")
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", CLIENT), ("FEDERATED_TOKEN_FILE", str(tmp_path / "t"))):
        monkeypatch.setenv(f"AZURE_{name}", value)
    api = Api({"SubscriptionID": "s", "TenantID": TENANT, **data}, lambda line: None)
    found = login.credential(api.data, api._transport(), api.say)
    assert type(found).__name__ == cls
