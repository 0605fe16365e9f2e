"""Two masters of one classic swarm on real hosts: what one made, the other makes again when its engine is lost."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.hosts import IMAGE, generic, until
from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client"),
]
KEY = "/var/lib/machine-swarm/swarm.key"
SOON = ["--swarm-opt", "engine-refresh-min-interval=1s", "--swarm-opt", "engine-refresh-max-interval=2s"]


def test_a_second_master_moves_what_the_first_one_made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = Program(tmp_path_factory.mktemp("masters") / "user")
    hosts: dict[str, Host] = dict(zip(("one", "two"), lab.hosts(["one", "two"]), strict=True))

    def through(name: str, line: str) -> str:
        return program.shell(f'eval "$(machine env --shell bash --swarm {name})"; docker {line}').fine().out.strip()

    token = program("swarm", "create").fine().out.strip()
    flags = ["--swarm", "--swarm-master", "--swarm-discovery", f"token://{token}", *SOON]
    try:
        for name, host in hosts.items():
            program(*generic(host), *flags, name).fine()
            host.import_busybox(IMAGE)
        keys = {host.run(f"cat {KEY}").strip() for host in hosts.values()}
        (key,) = keys
        for host in hosts.values():
            assert host.run(f"stat -c %a {KEY} /var/lib/machine-swarm").split() == ["600", "700"]
            assert key not in host.run("cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '; journalctl --no-pager -o cat")
        logs = [path.read_text() for path in program.store.glob("machines/*/machine.log")]
        assert len(logs) == 2
        assert not any(key in log for log in logs)
        until(lambda: through("one", "info --format '{{.Name}}{{.SystemStatus}}'").count("Healthy") == 2)
        where = ["-e", "reschedule:on-node-failure", "-e", "'constraint:node==~one'"]
        through("one", f"run -d --name web {' '.join(where)} {IMAGE} sleep 3600")
        assert through("two", "inspect -f {{.Node.Name}} web") == "one"
        hosts["one"].run("systemctl stop machine-swarm-manager docker.socket docker")
        seen = "inspect -f '{{.Node.Name}} {{.State.Status}}' web"
        until(lambda: through("two", f"{seen} 2>&1 || true") == "two running", 90)
        program("provision", "two").fine()
        assert "nothing changed" in program("provision", "two").fine().err
    finally:
        for host in hosts.values():
            lab.drop(host)
