"""The `Cloud` that driver hetzner is tried on: a project in memory behind a fault proxy."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.drivers.fault_proxy import Answer, Call, FaultProxy
from tests.drivers.hetzner.project import Project
from tests.drivers.hetzner.server import TOKEN, Server


def naming(call: Call) -> str:
    """POST /v1/servers, DELETE /v1/firewalls/ID, ...: ids do not matter."""
    return f"{call.method} " + re.sub(r"/[0-9]+", "/ID", call.path.partition("?")[0])


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error as Hetzner words it."""
    body = json.dumps({"error": {"code": code, "message": message, "details": None}}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


class Hetzner:
    """A fresh project."""

    driver_name = "hetzner"
    making = "POST /v1/servers"
    secrets = (TOKEN,)
    sdk = ("hcloud", "requests", "urllib3")
    pausing = "urllib3.util.retry"
    impatient: dict[str, Any] = {"hetzner-retry-seconds": 0, "hetzner-api-timeout": 1}  # noqa: RUF012
    throttled = refusal(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached", **{"Retry-After": "1"})
    broken = refusal(500, "service_error", "Something crashed")

    def __init__(self, **project: Any) -> None:
        self.project = Project(**project)
        self.server = Server(self.project)
        self.proxy = FaultProxy(self.server.url, naming)

    def close(self) -> None:
        """Over; AssertionError if anything was answered that Hetzner does not."""
        if not self.proxy.closed.is_set():
            self.proxy.close()
        self.server.stop()
        assert self.server.wrong == []

    def options(self) -> dict[str, Any]:
        return {"hetzner-endpoint": f"{self.proxy.url}/v1", "hetzner-wait-on-polling": 0}

    def credentials(self) -> dict[str, str]:
        return {"HETZNER_API_TOKEN": TOKEN}

    def strangers(self) -> dict[str, str]:
        """Of another project."""
        token = "0therPr0jectsT0ken"
        self.server.strangers[token] = Project()
        return {"HETZNER_API_TOKEN": token}

    def listing(self) -> Any:
        with self.server.lock:
            self.project.settle()
            return self.project.listing()

    def machines(self) -> int:
        return len(self.listing()["servers"])

    def changes(self, call: str) -> bool:
        return not call.startswith("GET")

    def ports_open(self) -> set[str]:
        with self.server.lock:
            rules = [rule for wall in self.project.firewalls.values() if wall["applied_to"] for rule in wall["rules"]]
        return {
            f"{rule['port']}/{rule['protocol']}" for rule in rules if rule["port"] and "0.0.0.0/0" in rule["source_ips"]
        }

    def forget(self) -> None:
        with self.server.lock:
            self.project.forget()
