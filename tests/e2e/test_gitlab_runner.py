"""GitLab Runner's docker+machine executor: every call it makes, letter for letter, and what it reads of the answer.

Each call is `docker-machine --bugsnag-api-token=TOKEN COMMAND ...`; between them it reads the store's directories.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.hosts import IMAGE, docker, private_keys
from tests.labs.nspawn import Host
from tests.program import Ended, Program
from tests.provision.hosts import Boot

pytestmark = pytest.mark.lab
NAME = "runner-qwertyui-autoscale-1790000000-deadbeef"
LONG = f"runner-qwertyui-{'a-machine-name-from-the-configuration-' * 2}1790000000-{{}}"


@dataclass
class Runner:
    """The calls of helpers/docker/machine_command.go."""

    program: Program

    def __call__(self, *line: str) -> Ended:
        argv = [str(Path(sys.executable).parent / "docker-machine"), "--bugsnag-api-token=no-report", *line]
        return self.program.run(argv, "", 300, {})

    def create(self, host: Host, name: str) -> Ended:
        options = [f"--generic-ip-address={host.address}", f"--generic-ssh-key={host.key}"]
        options += ["--generic-ssh-user=ubuntu", "--engine-opt=max-concurrent-downloads=7", "--engine-label=ci=yes"]
        return self("create", "--driver", "generic", *options, name)

    def cert_path(self, name: str) -> Path:
        return Path(self("inspect", name, "-f", "{{.HostOptions.AuthOptions.StorePath}}").fine().out.strip())

    def listed(self) -> list[str]:
        """It takes every directory without a leading dot for a machine."""
        return [entry.name for entry in (self.program.store / "machines").iterdir() if entry.name[0] != "."]


@pytest.fixture
def runner(program: Program) -> Runner:
    return Runner(program)


def test_the_life_of_a_worker(boot: Boot, runner: Runner) -> None:
    host = boot("worker", engine="running")
    made = runner.create(host, NAME).fine()
    assert made.out == ""  # it logs stdout as info and stderr as errors
    assert runner.listed() == [NAME]
    assert (runner.program.store / "machines" / NAME / "config.json").is_file()
    assert runner("config", NAME).status == 0
    assert runner("url", NAME).fine().out.strip() == f"tcp://{host.address}:2376"
    where = runner.cert_path(NAME)
    assert where == runner.program.store / "machines" / NAME
    assert {"ca.pem", "cert.pem", "key.pem"} <= {path.name for path in where.iterdir()}
    assert runner("inspect", NAME).status == 0
    assert runner("ip", NAME).fine().out.strip() == host.address
    assert runner("status", NAME).fine().out.strip() == "Running"
    assert runner("provision", NAME).status == 0
    assert runner("stop", NAME).status == 1  # a host of somebody's is not ours to switch off; it ignores this
    assert runner("rm", "-y", NAME).status == 0
    assert runner.listed() == []
    assert runner("inspect", NAME).status == 4
    assert runner("rm", "-f", NAME).status == 0
    assert runner("rm", "-y", NAME).status == 4


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client")
def test_a_job_runs_with_what_the_runner_was_told(boot: Boot, runner: Runner) -> None:
    host = boot("jobs", engine="running")
    runner.create(host, NAME).fine()
    host.import_busybox(IMAGE)
    url, where = runner("url", NAME).fine().out.strip(), runner.cert_path(NAME)
    tls = ["--tlsverify", f"--tlscacert={where}/ca.pem", f"--tlscert={where}/cert.pem", f"--tlskey={where}/key.pem"]
    assert docker(runner.program, *tls, "-H", url, "run", "--rm", IMAGE, "echo", "job").fine().out == "job\n"
    labels = docker(runner.program, *tls, "-H", url, "info", "-f", "{{json .Labels}}").fine().out
    assert set(json.loads(labels)) == {"ci=yes", "provider=generic"}


def test_what_it_parses_of_the_record(boot: Boot, runner: Runner) -> None:
    runner.create(boot("parsed", engine="running"), NAME).fine()
    raw = json.loads((runner.program.store / "machines" / NAME / "config.json").read_text())
    assert raw["DriverName"] == "generic"
    assert isinstance(raw["Driver"], dict)
    assert (raw["ConfigVersion"], raw["Driver"]["MachineName"]) == (3, NAME)
    assert not private_keys(json.dumps(raw))


def test_config_looks_at_the_engine(boot: Boot, runner: Runner) -> None:
    """Its answer is taken for "can connect" and kept for five minutes."""
    host = boot("looked", engine="running")
    runner.create(host, NAME).fine()
    host.run("systemctl stop docker.socket docker.service")
    told = runner("config", NAME)
    assert (told.status, told.out) == (1, "")
    host.run("systemctl start docker.service")
    assert runner("config", NAME).status == 0


def test_a_failed_create_is_kept_for_rm(boot: Boot, runner: Runner) -> None:
    host = boot("unlucky", engine="missing")
    line = [f"--generic-ip-address={host.address}", f"--generic-ssh-key={host.key}", "--engine-install-url=none"]
    assert runner("create", "--driver", "generic", *line, NAME).status == 1
    assert runner.listed() == [NAME]
    assert runner("inspect", NAME).status == 0
    assert runner("config", NAME).status == 1
    assert runner("rm", "-y", NAME).status == 0
    assert runner.listed() == []


def test_names_longer_than_a_host_name(boot: Boot, runner: Runner) -> None:
    """The runner's own documents warn of more than 64 characters; two that differ at their end stay two."""
    host = boot("long", engine="running")
    names = [LONG.format(end) for end in ("deadbeef", "cafebabe")]
    seen = set()
    for name in names:
        assert len(name) > 100
        runner.create(host, name).fine()
        seen.add(host.run("hostname").strip())
        assert runner("config", name).status == 0
        assert runner("ssh", name, "true").status == 0
        assert runner.listed() == [name]
        assert runner("rm", "-y", name).status == 0  # one host is one machine
    assert len(seen) == 2
    assert all(len(one) <= 63 for one in seen)


def test_a_name_that_cannot_be_is_refused_before_anything_is_made(boot: Boot, runner: Runner) -> None:
    host = boot("refusing", engine="running")
    for name, advice in (("x" * 201, "shorten it"), ("a b", "such as a-b"), ("../x", "such as x")):
        told = runner.create(host, name)
        assert told.status == 2
        assert advice in told.err
        assert not runner.program.store.exists()
    runner.create(host, "x" * 200).fine()
    runner("rm", "-y", "x" * 200).fine()
