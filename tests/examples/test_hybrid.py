"""examples/hybrid as a user runs it: master a real virtual machine, the workers of two clouds real hosts.

The clouds' APIs are stand-ins. `nginx` comes from a registry that the engines have as their mirror: in it that name is
a busybox that serves a page.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.azure import test_lab as on_azure
from tests.drivers.azure.arm import Arm
from tests.drivers.azure.cloud import Azure, pki
from tests.drivers.openstack import test_lab as on_openstack
from tests.drivers.openstack.fake_openstack import Stack
from tests.e2e.test_qemu import fetch
from tests.e2e.vms import left, program
from tests.labs.nspawn import Lab
from tests.program import ROOT, Program
from tests.registry import Registry

__all__ = ["program"]
pytestmark = pytest.mark.vm

NODE = "'{{.Node.Name}}'"
NODES = ["head", "worker-azure", "worker-openstack"]
LABELS = "docker info 2>/dev/null | grep -o 'provider=[a-z0-9]*'"


@pytest.fixture
def clouds(lab: Lab, tmp_path: Path) -> Iterator[tuple[Azure, Stack]]:
    """An Azure and an OpenStack, each of which makes one machine."""
    pytest.importorskip("azure.mgmt.compute", reason="needs the SDK: pip install '.[azure]'")
    pytest.importorskip("openstack", reason="needs the SDK: pip install '.[openstack]'")
    arm = Arm()
    azure, openstack = Azure(arm, pki(tmp_path / "pki")), Stack()
    hosts = lab.hosts(["azure", "openstack"], engine="running")
    arm.account.public = hosts[0].address
    on_azure.boots(azure, hosts[0])
    arm.account.private = ""
    on_openstack.boots(openstack, hosts[1])
    yield azure, openstack
    openstack.close()
    azure.proxy.close()
    arm.stop()


@pytest.fixture
def mirror(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """The URL of a registry that has `nginx`, as hosts and virtual machines reach it."""
    root = tmp_path / "root"
    subprocess.run([str(ROOT / "scripts" / "busybox-root"), str(root)], check=True)
    (root / "index.html").write_text("it works\n")
    with Registry(lab.gateway, tmp_path / "registry") as registry:
        registry.add("library/nginx", root, ["httpd", "-f", "-p", "80", "-h", "/"])
        yield registry.url


def account(azure: Azure, openstack: Stack, mirror: str) -> dict[str, str]:
    """What a user of both clouds has in the environment."""
    mine = {name.upper().replace("-", "_"): str(value) for name, value in azure.options().items()}
    theirs = {name.upper().replace("-", "_").replace("OPENSTACK", "OS"): v for name, v in openstack.options().items()}
    users = {"AZURE_SSH_USER": "ubuntu", "OS_SSH_USER": "ubuntu"}
    return {
        **mine,
        **theirs,
        **users,
        **azure.credentials(),
        **openstack.credentials(),
        "ENGINE_REGISTRY_MIRROR": mirror,
    }


def test_three_providers_one_cluster(program: Program, clouds: tuple[Azure, Stack], mirror: str) -> None:
    azure, openstack = clouds
    environ = account(*clouds, mirror)
    before = azure.listing(), openstack.listing()
    environ["PATH"] = f"{Path(sys.executable).parent}:{program.environ()['PATH']}"
    said = program.run([str(ROOT / "examples/hybrid/hybrid.sh")], "", 900, environ).fine()
    assert "Nodes: 3" in said.out
    for provider in ("qemu", "azure", "openstack"):
        assert f"provider={provider}" in said.out
    shown = [line for line in said.out.splitlines() if ":80->80/tcp" in line]
    names = " ".join(line.split()[-1] for line in shown)
    nodes = program.shell(f'eval "$(machine env --swarm head)"; docker inspect -f {NODE} {names}').fine().out.split()
    assert sorted(nodes) == NODES, said.out
    addresses = {name: program("ip", name).fine().out.strip() for name in NODES}
    for line, node in zip(shown, nodes, strict=True):
        address = line.partition(":80->80/tcp")[0].split()[-1]
        if node != "head":  # from here a virtual machine has another address than from its neighbours
            assert address == addresses[node]
        assert fetch(f"http://{addresses[node]}/") == "it works\n"

    token = program("inspect", "-f", "{{.HostOptions.SwarmOptions.Discovery}}", "head").fine().out.strip()
    filled = fills_one(program, token)
    assert len(filled) == 3
    assert len(set(filled)) == 1, "binpack"

    program("rm", "-y", *NODES, environ=environ).fine()
    assert (azure.listing(), openstack.listing()) == before
    assert left(program) == []


def fills_one(program: Program, token: str) -> list[str]:
    """The nodes of three containers that a second manager, on this computer, places by `binpack`."""
    with program.start("swarm", "manage", "--strategy", "binpack", "-H", "tcp://127.0.0.1:0", token) as manager:
        try:
            assert manager.stderr is not None
            line = next(line for line in manager.stderr if "127.0.0.1:" in line)
            port = line.rpartition("127.0.0.1:")[2].split()[0].strip("/,.")
            docker = f"export DOCKER_HOST=tcp://127.0.0.1:{port} DOCKER_TLS_VERIFY=1\n"
            docker += f"export DOCKER_CERT_PATH={program.store}/certs\n"
            deadline = time.monotonic() + 30
            while program.shell(f"{docker}{LABELS} | wc -l").out.strip() != "3":
                assert time.monotonic() < deadline
            program.shell(f"{docker}for i in 1 2 3; do docker run -d --name packed$i nginx; done").fine()
            return program.shell(f"{docker}docker inspect -f {NODE} packed1 packed2 packed3").fine().out.split()
        finally:
            manager.terminate()
            manager.communicate(timeout=20)
