"""ConoHa as its documentation has it: the project and the services of the other modules, with its own rules.

The program reaches it under its real names, by a proxy: this one. https://doc.conoha.jp/reference/api-vps3/
"""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.drivers.openstack.fake_openstack import Stack
from tests.drivers.openstack.project import USER, Project
from tests.drivers.openstack.refusals import Json, bad
from tests.drivers.openstack.server import PASSWORD, PROJECT, Cloud

AUTH_URL = "http://identity.c3j1.conoha.io/v3"
BEGINNINGS = ("#!", "#include-once", "#include", "#cloud-config", "#cloud-boothook")
PASSWORDS = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[\\^$+\-*/|()\[\]{}.,?!_=&@~%#:;'\"])[\x21-\x7e]{9,70}")


class Vps(Project):
    """A customer's project. Public networks are ConoHa's, and so are the groups that are there from the start."""

    def __init__(self, **seconds: float) -> None:
        super().__init__(**seconds)
        self.flavors = [
            self._flavor("g-1gb", 1024, 0),
            self._flavor("g2l-t-c1m512", 512, 0),
            self._flavor("g2d-t-c4m4", 4096, 100),
        ]
        self.images = [self._image("vmi-ubuntu-14.04-amd64"), self._image("vmi-ubuntu-24.04-amd64")]
        self.networks = []
        for name, prefix in (("ext-133-130-48-0-xxx", "133.130.48"), ("ext-133-130-49-0-xxx", "133.130.49")):
            self.network(name, prefix, external=True)["shared"] = True
        self.types = ["c3j1-ds02-boot", "c3j1-ds02-add"]
        for name, port in (("gncs-ipv4-all", None), ("IPv4v6-SSH", 22)):
            group = self.make_group({"name": name})
            rule = {"security_group_id": group["id"], "protocol": "tcp", "port_range_min": port, "port_range_max": port}
            self.make_rules([rule])
            self._fixed.add(id(group))

    def _check_body(self, body: Json, microversion: tuple[int, int]) -> None:
        super()._check_body(body, microversion)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", body.get("metadata", {}).get("instance_name_tag", "")):
            raise bad("Invalid input for field/attribute instance_name_tag.")
        if not PASSWORDS.fullmatch(body.get("adminPass", "")):
            raise bad("Invalid input for field/attribute adminPass.")
        data = base64.b64decode(body.get("user_data", "")).decode()
        if data and (len(data) > 16384 or not data.startswith(BEGINNINGS)):
            raise bad("Invalid input for field/attribute user_data.")
        if "networks" in body:
            raise bad("Invalid input for field/attribute networks.")

    def _disks(self, body: Json, flavor: Json) -> list[Json]:
        if "imageRef" in body and not flavor["name"].startswith("g2d"):
            raise bad("Image boot is not supported, use a volume.")
        return super()._disks(body, flavor)

    def _network_of(self, body: Json) -> Json:
        return self.networks[0]

    def make_volume(self, body: Json) -> Json:
        if body["size"] not in (30, 100) or body.get("volume_type") != self.types[0]:
            raise bad("Invalid input for field/attribute size.")
        return super().make_volume(body)


class Services(Cloud):
    """With one domain for all customers."""

    domain = "gnc"

    def _is_home(self, domain: Json) -> bool:
        return domain == {"name": "gnc"}


class Conoha(Stack):
    """A fresh customer, who says no more than the article does."""

    def __init__(self, **seconds: Any) -> None:
        super().__init__(Services(Vps(**seconds)))

    def options(self) -> dict[str, Any]:
        return {
            "openstack-auth-url": AUTH_URL,
            "openstack-username": USER,
            "openstack-tenant-name": PROJECT,
            "openstack-flavor-name": "g-1gb",
            "openstack-image-name": "vmi-ubuntu-14.04-amd64",
            "openstack-sec-groups": "default,gncs-ipv4-all",
        }

    def credentials(self) -> dict[str, str]:
        return {"OS_PASSWORD": PASSWORD, **self.proxy_environ()}

    def proxy_environ(self) -> dict[str, str]:
        """What lets the program find ConoHa here."""
        return {"http_proxy": self.proxy.url, "no_proxy": ""}
