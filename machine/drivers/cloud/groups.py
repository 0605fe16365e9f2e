"""Security groups that machines share: found or made, and opened for what must get in.

The groups are to be used under one lock of the store. Of each machine's groups the ids are in its record, so that the
last one to go knows that it is the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from machine.drivers.cloud import create_once, firewall, lookup
from machine.drivers.cloud.driver import CloudDriver, Json
from machine.drivers.cloud.errors import BadFirewall
from machine.drivers.cloud.firewall import Rule


def ensure(
    driver: CloudDriver[Any],
    names: Sequence[str],
    find: Callable[[str], Json | None],
    make: Callable[[str], Json | None],
    id_key: str = "id",
) -> Iterator[Json]:
    """Every group of these names, found or made, one by one. Raises BadFirewall for one that is not there and not made.

    The ids, which groups have under `id_key`, are in the config and on disk before a group is handed out.
    """
    ids: list[str] = []
    for name in names:
        group = find(name) or make(name)
        if group is None:
            raise driver.provider.errors.error(BadFirewall, f"there is no security group {name}")
        ids.append(lookup.id_of(group, id_key))
        driver.config.security_group_ids = list(ids)
        driver.save()
        yield group


def open_ports(
    driver: CloudDriver[Any],
    add: Callable[[list[Rule]], None],
    present: Sequence[Rule],
    group: str,
    families: Sequence[int] = (0,),
) -> None:
    """Add what the machine needs and no rule that is present allows yet. Others may add to the group as well.

    `group` is the source that stands for the group's own machines; `families` as firewall.rules takes them.
    """
    port_ranges = driver.config.needed_port_ranges(driver.ctx.cluster_ports)
    wanted = firewall.rules(port_ranges, driver.config.allow_from, group, families)
    create_once.add_rules(add, firewall.missing(wanted, present))
