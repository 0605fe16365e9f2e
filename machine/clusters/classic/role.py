"""The role of a machine in its classic swarm: what it is there, what it runs, how it becomes known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine.clusters.classic.membership import REGISTERED_ADDRESSES

if TYPE_CHECKING:
    from machine.clusters.classic.discovery_route import DiscoveryRoute
    from machine.model import SwarmOptions
    from machine.store import Record


@dataclass(frozen=True, slots=True)
class Role:
    """The role of one member: master, node or both, with what runs on it.

    What a member runs, if anything, are our services or docker-machine's containers. One that is only a URL, or not
    made by us, runs nothing that this program looks after; a node that `create` registers runs none of the services.
    """

    is_master: bool
    is_node: bool
    made_by_us: bool  # this program made the member, and so registers it; docker-machine's register themselves
    uses_services: bool  # its manager and agent, if it runs them, are ours, as systemd services
    uses_containers: bool  # they are docker-machine's containers of --swarm-image
    registered_addresses: tuple[str, ...] | None  # by `create`; () where it does not; None before it begins to join

    @property
    def has_begun_to_join(self) -> bool:
        """Whether `create` or `provision` has begun to make the machine known in its swarm."""
        return self.registered_addresses is not None

    @property
    def runs_manager(self) -> bool:
        """Whether our own manager runs on the machine."""
        return self.is_master and self.uses_services

    def runs_agent(self, route: DiscoveryRoute) -> bool:
        """Return whether our own agent runs on the machine."""
        return self.uses_services and self.registers_itself(route)

    def registers_itself(self, route: DiscoveryRoute) -> bool:
        """Return whether the machine itself registers its engine, if anything runs on it."""
        return self.is_node and route.nodes_register_themselves

    def registered_by_create(self, route: DiscoveryRoute) -> bool:
        """Return whether `create` and `provision` register the machine's engine from this computer."""
        return self.is_node and route.create_registers_nodes


def resolve_role(options: SwarmOptions, record: Record) -> Role:
    """Return the role that the options and the state of a machine's record give it."""
    made_by_us = bool(record.machine_id and options.is_swarm and options.discovery)
    addresses = record.driver_object.get(REGISTERED_ADDRESSES)
    runs_something = made_by_us and not record.is_only_url()
    return Role(
        is_master=options.master,
        is_node=options.is_node,
        made_by_us=made_by_us,
        uses_services=runs_something and not options.use_containers,
        uses_containers=runs_something and options.use_containers,
        registered_addresses=tuple(addresses) if isinstance(addresses, list) else None,
    )
