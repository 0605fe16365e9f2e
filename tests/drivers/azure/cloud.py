"""The `Cloud` that driver azure is tried on: the fake ARM and its directory behind a fault proxy with TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import certs
from tests.drivers.azure.arm import SUBSCRIPTION, Arm
from tests.drivers.azure.directory import CLIENT, SECRET, TENANT
from tests.drivers.fault_proxy import Answer, Call, FaultProxy

PASSWORD = "a-certificate's-password-that-nobody-sees"
ERROR = {"Content-Type": "application/json; charset=utf-8"}


def naming(call: Call) -> str:
    """Token, Poll, or the method and the kind: `PUT virtualMachines`, `POST deallocate`."""
    parts = call.path.partition("?")[0].strip("/").split("/")
    if "oauth2" in parts or ".well-known" in parts:
        return f"Login {parts[-1]}"
    if "operations" in parts or "operationresults" in parts:
        return "Poll"
    if len(parts) < 5:
        return f"{call.method} {parts[2] if len(parts) > 2 else parts[0]}"
    if parts[4] == "resources":
        return "GET resources"
    if parts[2] == "providers":
        return f"{call.method} {parts[-1] if 'locations' not in parts else parts[6]}"
    kind = parts[6] if len(parts) < 9 else parts[8]
    return f"{call.method} {kind}"


def refusal(status: int, code: str, text: str) -> Answer:
    """An error as ARM words it."""
    return Answer(status, json.dumps({"error": {"code": code, "message": text}}).encode(), ERROR)


class Azure:
    """A fresh subscription."""

    driver_name = "azure"
    making = "PUT virtualMachines"
    secrets = (SECRET, PASSWORD)
    sdk = ("azure.core", "azure.identity", "azure.mgmt", "msal")
    pausing = "azure.core.pipeline.transport._base"
    impatient: dict[str, Any] = {"azure-retries": 0, "azure-api-timeout": 1}  # noqa: RUF012
    throttled = Answer(
        429,
        json.dumps({"error": {"code": "SubscriptionRequestsThrottled", "message": "too many"}}).encode(),
        {**ERROR, "Retry-After": "1"},
    )
    broken = refusal(500, "InternalServerError", "Encountered internal server error.")

    def __init__(self, arm: Arm, pki: Path) -> None:
        self.arm = arm
        self.secret_variables = {"AZURE_CLIENT_SECRET": SECRET, "AZURE_CLIENT_CERTIFICATE_PASSWORD": PASSWORD}
        arm.reset()
        self.ca = str(pki / "ca.pem")
        self.proxy = FaultProxy(arm.url, naming, (str(pki / "server.pem"), str(pki / "server-key.pem")), at_once=True)

    def options(self) -> dict[str, Any]:
        return {
            "azure-subscription-id": SUBSCRIPTION,
            "azure-tenant-id": TENANT,
            "azure-client-id": CLIENT,
            "azure-endpoint": self.proxy.url,
            "azure-authority-host": self.proxy.url,
            "azure-ca-cert": self.ca,
            "azure-polling-interval": 0,
        }

    def credentials(self) -> dict[str, str]:
        return dict(self.secret_variables)

    def strangers(self) -> dict[str, str]:
        """A secret of another service principal: Azure lets it see nothing of this subscription."""
        return {"AZURE_CLIENT_SECRET": "another-principal's"}

    def listing(self) -> Any:
        return self.arm.listing()

    def machines(self) -> int:
        return sum(kind.endswith("virtualMachines") for kind in self.listing().values())

    def changes(self, call: str) -> bool:
        acts = ("POST start", "POST restart", "POST deallocate", "POST powerOff")
        return call.startswith(("PUT ", "PATCH ", "DELETE ", *acts))

    def ports_open(self) -> set[str]:
        with self.arm.lock:
            account = self.arm.account
            nics = [nic for nic in account.of("networkInterfaces") if account.machine_with(str(nic["id"]))]
            groups = [account.find(nic["properties"]["networkSecurityGroup"]["id"]) for nic in nics]
        rules = [rule["properties"] for group in groups for rule in group["properties"]["securityRules"]]
        return {
            f"{rule['destinationPortRange']}/{rule['protocol'].lower()}"
            for rule in rules
            if (rule["direction"], rule["access"], rule.get("sourceAddressPrefix")) == ("Inbound", "Allow", "*")
        }

    def forget(self) -> None:
        with self.arm.lock:
            self.arm.account.things.clear()


def pki(directory: Path) -> Path:
    """A CA and a server's certificate for loopback."""
    directory.mkdir(parents=True, exist_ok=True)
    ca = certs.make_ca("test")
    server = certs.make_server(ca, "test", ["127.0.0.1", "localhost"])
    for name, content in (("ca.pem", ca.cert), ("server.pem", server.cert), ("server-key.pem", server.key)):
        (directory / name).write_bytes(content)
    return directory
