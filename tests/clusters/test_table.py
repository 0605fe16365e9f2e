"""Which hooks a machine gets, and that a machine in no cluster costs none of their imports."""

from __future__ import annotations

import subprocess
import sys

from machine.clusters import table
from machine.clusters.classic.hooks import ClassicSwarm
from machine.clusters.hooks import ClusterHooks, MachineDraft
from machine.clusters.swarm_mode.hooks import SwarmMode
from machine.clusters.swarm_mode.membership import Membership, set_membership
from machine.model import EngineOptions, SwarmOptions
from machine.store import Record


def test_every_row_of_the_table_has_hooks() -> None:
    assert all(isinstance(table.load_hooks(kind), ClusterHooks) for kind in table.TABLE)


def test_a_machine_gets_the_hooks_of_its_clusters_only() -> None:
    plain = Record.new("/store", "m1", "qemu", {})
    node = Record.new("/store", "m1", "qemu", {}, EngineOptions(), SwarmOptions(is_swarm=True, is_node=True))
    assert table.hooks_of(plain) == []
    assert [type(one) for one in table.hooks_of(node)] == [ClassicSwarm]
    set_membership(plain, Membership("worker"))
    assert [type(one) for one in table.hooks_of(plain)] == [SwarmMode]


def test_a_plan_gets_the_hooks_that_were_asked_for() -> None:
    classic = MachineDraft("qemu", True, {}, (), SwarmOptions(is_swarm=True))
    worker = MachineDraft("qemu", True, {}, (), SwarmOptions(), Membership("worker"))
    assert [type(one) for one in table.requested(classic)] == [ClassicSwarm]
    assert [type(one) for one in table.requested(worker)] == [SwarmMode]
    assert table.requested(MachineDraft("qemu", True, {}, (), SwarmOptions())) == []


def test_a_machine_in_no_cluster_imports_no_hooks() -> None:
    code = (
        "import sys; from machine.clusters import table; from machine.store import Record;"
        "table.hooks_of(Record.new('/store', 'm1', 'qemu', {}));"
        "print([name for name in sys.modules if name.endswith('.hooks') or name in ('asyncio', 'machine.swarm')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
