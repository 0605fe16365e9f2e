"""Ways to log in, through the real azure-identity against the fake directory."""

from __future__ import annotations

import dataclasses
import datetime
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure import login
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.driver import AzureDriver
from machine.drivers.azure.sdk import Sdk
from machine.errors import DriverError, PreflightFailed
from tests.drivers import contexts
from tests.drivers.azure.cloud import Azure
from tests.drivers.azure.directory import CLIENT, SECRET, TENANT
from tests.drivers.cloud_stand_in import new
from tests.drivers.fault_proxy import answer
from tests.program import Program


def asked(cloud: Azure, **given: Any) -> tuple[Api, list[str]]:
    """An Api that has listed sizes, and what it said to the user."""
    said: list[str] = []
    driver = new(cloud, Path(cloud.ca).parent / f"driver-{os.urandom(4).hex()}", **given)
    api = Api(Config.from_record(driver.dump()), dataclasses.replace(driver.ctx, log=said.append))
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
    assert cloud.arm.directory.scopes == [f"{cloud.proxy.url}/.default"]


def test_a_certificate(cloud: Azure, tmp_path: Path) -> None:
    path, public = certificate(tmp_path)
    cloud.arm.directory.certificate = public
    cloud.secret_variables = {}
    asked(cloud, **{"azure-client-certificate": str(path)})


def test_the_directory_is_found_when_it_is_not_named(cloud: Azure) -> None:
    api, _ = asked(cloud, **{"azure-tenant-id": ""})
    assert api.config.tenant_id == TENANT
    assert cloud.proxy.names()[0] == "GET subscriptions"


def test_a_device_code_is_asked_for_once(cloud: Azure) -> None:
    cloud.secret_variables = {}
    given = {"azure-login": "device-code", "azure-client-id": ""}
    api, said = asked(cloud, **given)
    assert [line for line in said if "ABCD1234" in line]
    assert "refresh" not in api.config.authentication_record
    again = Api(api.config, dataclasses.replace(api.sdk.ctx, store=api.sdk.ctx.store + "-moved"))
    assert again.sizes()
    assert len(said) == 1, "the SDK's cache answers"


DEVICE = {"azure-login": "device-code", "azure-client-id": ""}


def person(cloud: Azure, place: Path, name: str, **more: Any) -> AzureDriver:
    """The driver of a machine for which somebody logs in by device code."""
    cloud.secret_variables = {}
    driver = new(cloud, place, name, **{**DEVICE, **more})
    assert isinstance(driver, AzureDriver)
    return driver


def test_machines_that_are_made_at_once_ask_the_person_once(cloud: Azure, tmp_path: Path) -> None:
    """None of them has a record yet; and none asks later, as long as the SDK's cache knows the user."""
    drivers = [person(cloud, tmp_path, name) for name in ("a", "b", "c")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(AzureDriver.check, drivers))
    assert cloud.arm.directory.prompts == 1
    assert len({driver.dump()["AuthenticationRecord"] for driver in drivers}) == 1
    person(cloud, tmp_path, "later").check()
    assert cloud.arm.directory.prompts == 1


def test_a_sibling_knows_who_logged_in(cloud: Azure, tmp_path: Path) -> None:
    """Its record, made by an earlier version, is all there is; another application's or directory's is not it."""
    first = person(cloud, tmp_path, "first")
    first.check()
    (known,) = (tmp_path / "store" / "cache").iterdir()
    known.write_text("spoilt")
    for other, prompts in (({}, 1), ({"azure-client-id": CLIENT}, 2), ({"azure-tenant-id": CLIENT}, 3)):
        second = person(cloud, tmp_path, "second", **other)
        second.api.sdk.ctx = dataclasses.replace(second.ctx, siblings=lambda: [{}, first.dump()])
        assert second.api.sizes()
        assert cloud.arm.directory.prompts == prompts


def test_a_person_whom_the_cache_does_not_know_any_more_is_asked(
    cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = person(cloud, tmp_path, "first")
    first.check()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert Api(first.config, first.ctx).sizes()
    person(cloud, tmp_path, "second").check()
    assert cloud.arm.directory.prompts == 2


def test_two_machines_of_one_command(cloud: Azure, tmp_path: Path) -> None:
    """`create a b` as typed: one code to enter, and nothing of the tokens in the store."""
    program = Program(tmp_path / "p")
    options = {**cloud.options(), **DEVICE}
    typed = [f"--{option}={value}" for option, value in options.items() if value != ""]
    cloud.proxy.on("PUT resourcegroups", answer(400, b"no"))
    done = program("create", "-d", "azure", *typed, "a", "b")
    assert done.status == 1
    assert done.err.count("ABCD1234") == 1
    assert cloud.proxy.names().count("PUT resourcegroups") == 2, done.err
    kept = [path.read_bytes() for path in program.store.rglob("*") if path.is_file()]
    assert not [token for token in cloud.arm.directory.tokens for text in kept if token.encode() in text]
    program("rm", "-y", "a", "b").fine()
    assert cloud.arm.directory.prompts == 1
    assert cloud.listing() == {}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but loopback can be asked, not even by mistake."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("login", ["workload-identity", "auto"])
@pytest.mark.parametrize("flags", [True, False])
def test_a_workload_identity(
    cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, flags: bool
) -> None:
    """The token of a Kubernetes service account is handed to the authority that was named, not to Microsoft's."""
    cloud.secret_variables = {}
    cloud.arm.directory.federated = "of-a-service-account"
    (tmp_path / "token").write_text("of-a-service-account")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AZURE_CLIENT_ID", "another" if flags else CLIENT)
    monkeypatch.setenv("AZURE_TENANT_ID", "another" if flags else TENANT)
    given = {} if flags else {"azure-client-id": "", "azure-tenant-id": ""}
    asked(cloud, **{"azure-login": login, **given})
    assert cloud.arm.directory.scopes == [f"{cloud.proxy.url}/.default"]


@pytest.mark.usefixtures("offline")
def test_a_workload_identity_that_is_not_believed(
    cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.secret_variables = {}
    (tmp_path / "token").write_text("of-a-service-account")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path).check()
    assert type(caught.value).__name__ == "BadCredentials"
    assert "AADSTS7000215" in caught.value.details
    assert "of-a-service-account" not in caught.value.details


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("login", ["managed-identity", "auto"])
@pytest.mark.parametrize("client", [CLIENT, ""])
def test_a_managed_identity(cloud: Azure, monkeypatch: pytest.MonkeyPatch, login: str, client: str) -> None:
    """The metadata service of the VM is asked, for the machine's own identity or the user's that is named."""
    cloud.secret_variables = {}
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.arm.url)
    asked(cloud, **{"azure-login": login, "azure-client-id": client})
    questions = cloud.arm.directory.asked
    assert questions[-1]["resource"] == cloud.proxy.url
    assert questions[-1].get("client_id", "") == client
    assert cloud.arm.directory.scopes == []


@pytest.mark.usefixtures("offline")
def test_a_managed_identity_that_there_is_not(cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.secret_variables = {}
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.arm.url)
    given = {"azure-login": "managed-identity", "azure-client-id": CLIENT.replace("2", "3")}
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path, **given).check()
    assert type(caught.value).__name__ == "BadCredentials"
    assert "Identity not found" in caught.value.details


def test_nobody_is_logged_in(cloud: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    cloud.secret_variables = {}
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path, **{"azure-login": "cli"}).check()
    assert "az login" in caught.value.resolution
    assert type(caught.value).__name__ == "BadCredentials"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("login", ["cli", "auto"])
def test_az_login(cloud: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, login: str) -> None:
    """The `az` of the PATH is asked for a token of the directory that was named."""
    program = tmp_path / "az"
    cloud.arm.directory.tokens.add("from-az")
    program.write_text(
        f"#!{sys.executable}\nimport sys\nassert {TENANT!r} in ' '.join(sys.argv)\n"
        'print(\'{"accessToken": "from-az", "expiresOn": "2099-01-01 00:00:00.000000"}\')\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")  # as who has no metadata service to wait for
    cloud.secret_variables = {}
    asked(cloud, **{"azure-login": login, "azure-client-id": ""})
    assert cloud.arm.directory.scopes == []


def test_a_wrong_secret(cloud: Azure, tmp_path: Path) -> None:
    cloud.secret_variables = {"AZURE_CLIENT_SECRET": "wrong"}
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
    sdk = Sdk(Config.from_record({"SubscriptionID": "s", "TenantID": TENANT, **data}), contexts.forbidding())
    found = login.credential(sdk.config, sdk.transport(), sdk.ctx)
    assert type(found).__name__ == cls
