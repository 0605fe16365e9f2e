"""What Neutron keeps of a project in memory: networks, ports, security groups and floating addresses."""

from __future__ import annotations

import ipaddress

from tests.drivers.openstack.refusals import Json, Refusal, new_id


class Neutron:
    """The part of a project that is Neutron's; `id` is the project's."""

    id: str
    networks: list[Json]
    groups: dict[str, Json]
    floating: dict[str, Json]
    ports: dict[str, Json]

    def network(self, name: str, prefix: str, *, external: bool = False, project: str | None = None) -> Json:
        found = {
            "id": new_id(),
            "name": name,
            "status": "ACTIVE",
            "admin_state_up": True,
            "subnets": [new_id()],
            "shared": False,
            "router:external": external,
            "prefix": prefix,
            "project_id": project or ("admin" if external else self.id),
        }
        found["tenant_id"] = found["project_id"]
        self.networks.append(found)
        return found

    # time

    def free_address(self, network: Json) -> str:
        taken = {fixed["ip_address"] for port in self.ports.values() for fixed in port["fixed_ips"]}
        taken |= {address["floating_ip_address"] for address in self.floating.values()}
        hosts = ipaddress.ip_network(f"{network['prefix']}.0/24").hosts()
        return next(str(host) for host in hosts if str(host) not in taken)

    def make_group(self, body: Json) -> Json:
        group = {
            "id": new_id(),
            "name": body["name"],
            "description": body.get("description", ""),
            "stateful": True,
            "project_id": self.id,
            "tenant_id": self.id,
            "security_group_rules": [],
        }
        self.groups[group["id"]] = group
        for family in ("IPv4", "IPv6"):
            self.make_rule({"ethertype": family, "security_group_id": group["id"], "direction": "egress"})
        return group

    def make_rule(self, body: Json) -> Json:
        keys = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
        rule = {"direction": "ingress", "ethertype": "IPv4", **dict.fromkeys(keys), **body}
        group = self.groups.get(rule["security_group_id"])
        if group is None:
            raise Refusal(404, "NeutronError", f"Security group {rule['security_group_id']} does not exist")
        for other in group["security_group_rules"]:
            if all(other[key] == rule[key] for key in (*keys, "direction", "ethertype")):
                raise Refusal(409, "NeutronError", f"Security group rule already exists. Rule id is {other['id']}.")
        rule.update(id=new_id(), project_id=self.id)
        group["security_group_rules"].append(rule)
        return rule

    def make_rules(self, bodies: list[Json]) -> list[Json]:
        made: list[Json] = []
        try:
            for body in bodies:
                made.append(self.make_rule(body))  # noqa: PERF401
        except Refusal:
            for rule in made:
                self.groups[rule["security_group_id"]]["security_group_rules"].remove(rule)
            raise
        return made

    def delete_group(self, group_id: str) -> None:
        if group_id not in self.groups:
            raise Refusal(404, "NeutronError", f"Security group {group_id} does not exist")
        if any(group_id in port["security_groups"] for port in self.ports.values()):
            raise Refusal(409, "NeutronError", f"Security Group {group_id} in use.")
        del self.groups[group_id]

    def make_floating(self, body: Json) -> Json:
        pool = next((network for network in self.networks if network["id"] == body["floating_network_id"]), None)
        port = self.ports.get(body["port_id"])
        if pool is None or port is None:
            raise Refusal(404, "NeutronError", f"Port {body['port_id']} could not be found.")
        address = {
            "id": new_id(),
            "floating_ip_address": self.free_address(pool),
            "port_id": port["id"],
            "status": "ACTIVE",
            "floating_network_id": pool["id"],
            "description": body.get("description", ""),
            "project_id": self.id,
        }
        self.floating[address["id"]] = address
        return address

    def delete_floating(self, address_id: str) -> None:
        if address_id not in self.floating:
            raise Refusal(404, "NeutronError", f"Floating IP {address_id} could not be found")
        del self.floating[address_id]
