"""The `Cloud` that driver digitalocean is tried on: an account of DigitalOcean's description behind a fault proxy."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.drivers.digitalocean.account import Account
from tests.drivers.digitalocean.server import TOKEN, Server
from tests.drivers.fault_proxy import Answer, Call, FaultProxy


def naming(call: Call) -> str:
    """POST /v2/droplets, DELETE /v2/tags/ID, ...: ids do not matter."""
    path = call.path.partition("?")[0]
    return f"{call.method} " + re.sub(r"^(/v2/(?:account/)?[a-z_]+)/(?!keys)[^/]+", r"\1/ID", path)


def refusal(status: int, identity: str, message: str, **headers: str) -> Answer:
    """An error as DigitalOcean words it."""
    body = json.dumps({"id": identity, "message": message}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


class Ocean:
    """A fresh account."""

    driver_name = "digitalocean"
    making = "POST /v2/droplets"
    secrets = (TOKEN,)
    sdk = ("libcloud", "requests")
    pausing = "libcloud.utils.retry"
    impatient: dict[str, Any] = {"digitalocean-retry-seconds": 0, "digitalocean-api-timeout": 1}  # noqa: RUF012
    throttled = refusal(429, "too_many_requests", "API rate limit exceeded.", **{"Retry-After": "0.1"})
    broken = refusal(500, "server_error", "Unexpected server-side error")

    def __init__(self, **account: Any) -> None:
        self.account = Account(**account)
        self.server = Server(self.account)
        self.proxy = FaultProxy(self.server.url, naming)

    def close(self) -> None:
        """Over; AssertionError if anything was asked or answered that DigitalOcean's description forbids."""
        if not self.proxy.closed.is_set():
            self.proxy.close()
        self.server.stop()
        assert self.server.wrong == []

    def options(self) -> dict[str, Any]:
        return {"digitalocean-endpoint": self.proxy.url}

    def credentials(self) -> dict[str, str]:
        return {"DIGITALOCEAN_ACCESS_TOKEN": TOKEN}

    def strangers(self) -> dict[str, str]:
        """Of the same person in another team."""
        token = "dop_v1_of-another-team"
        self.server.strangers[token] = Account(team="another-team")
        return {"DIGITALOCEAN_ACCESS_TOKEN": token}

    def listing(self) -> Any:
        with self.server.lock:
            self.account.settle()
            return self.account.listing()

    def machines(self) -> int:
        return len(self.listing()["droplets"])

    def changes(self, call: str) -> bool:
        return not call.startswith("GET")

    def ports_open(self) -> set[str]:
        with self.server.lock:
            walls = [wall for droplet in self.account.droplets.values() for wall in self.account.walls_of(droplet)]
            rules = [rule for wall in walls for rule in wall["inbound_rules"]]
        return {
            f"{rule['ports']}/{rule['protocol']}"
            for rule in rules
            if "0.0.0.0/0" in rule["sources"].get("addresses", [])
        }

    def forget(self) -> None:
        with self.server.lock:
            self.account.forget()
