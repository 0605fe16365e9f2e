"""The page on who dials whom has every port that the program and its clusters use."""

from __future__ import annotations

import re
from pathlib import Path

from machine.clusters.swarm_mode.detection import PORTS as SWARM_MODE_PORTS
from machine.drivers.cloud.ports import cluster_port_ranges
from machine.hostport import ENGINE_PORT, MANAGER_PORT
from machine.swarm.cli import DEFAULT_MANAGER_URL, DEFAULT_SERVICE_URL
from machine.swarm.discovery import consul, etcd
from machine.swarmd.backends import dockerserver

PAGE = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
TABLE = PAGE[PAGE.index("## The ports") :]


def test_the_table_has_the_ports_of_the_code() -> None:
    first_cells = re.findall(r"^\| (\d.*?) \|", TABLE, re.MULTILINE)
    named = {int(port) for cell in first_cells for port in re.findall(r"\b(\d+)(?=/tcp|/udp|,)", cell)}
    urls = [int(url.rpartition(":")[2]) for url in (DEFAULT_MANAGER_URL, DEFAULT_SERVICE_URL)]
    used = {22, ENGINE_PORT, MANAGER_PORT, *SWARM_MODE_PORTS, *urls, etcd.PORT, consul.PORT, dockerserver.PORT}
    assert used <= named


def test_the_table_has_the_protocols_of_swarm_mode() -> None:
    for one in cluster_port_ranges(SWARM_MODE_PORTS):
        row = next(line for line in TABLE.splitlines() if line.startswith(f"| {one.first}/"))
        assert one.protocol in row.split("|")[1]
