"""Real clients through a machine, a manager and an aggregate, beside an engine asked directly: one set for all.

Each test asks all endpoints at the same time. docs/swarm.md has the table of what is held here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clients import docker_script, packages, trees
from tests.clients.fixtures import DockerClient
from tests.clients.suites import Suite, failures_of_ours, source_archive
from tests.clients.targets import MACHINE, Target, Targets, at_all, environ_of, targets
from tests.swarm.engines import clients, docker, needs_engines
from tests.swarm.network_namespaces import needs_islands

pytestmark = [*needs_engines, *needs_islands]

PROGRAMS = Path(__file__).parent / "programs"
NEWER_CLIENT = ("docker-cli", "docker-compose", "docker-buildx")
OURS = ("machine", "manager", "aggregate")
AIODOCKER = "aiodocker==0.27.0"
PYTHON_CLIENTS = (AIODOCKER, "pytest", "pytest-asyncio", "async-timeout", "packaging", "testcontainers==4.14.2")
ANSIBLE = ("ansible-core==2.16.*", "requests")  # the release that Python 3.11 can run whole
COLLECTIONS = ("ansible==9.*", "ansible.posix", "community.docker", "community.library_inventory_filtering_v1")


@pytest.fixture(scope="module")
def all_targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with pytest.MonkeyPatch.context() as patch:
        work = tmp_path_factory.mktemp("targets")
        patch.setenv("HOME", str(work))
        with targets(work) as made:
            yield made


@pytest.fixture
def found(all_targets: Targets) -> Targets:
    """The endpoints, with nothing on their engines but the images that the clients ask for."""
    all_targets.clear()
    return all_targets


def printed(argv: list[str], work: Path, environ: dict[str, str], seconds: int = 240) -> str:
    """What a program prints; an AssertionError with all that it said if it fails."""
    done = subprocess.run(
        argv, cwd=work, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
    )
    said = done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0, f"{' '.join(argv)[:200]}: {done.returncode}\n{said}"
    return done.stdout


def newer_client(work: Path) -> DockerClient:
    """The docker client of Debian 13 with Compose and buildx, with a configuration of its own in `work`."""
    return DockerClient(packages.require(*NEWER_CLIENT), work / "docker-config")


@pytest.mark.parametrize("which", ["of this host", "of another release"])
def test_the_docker_client_sees_what_an_engine_shows(found: Targets, tmp_path: Path, which: str) -> None:
    programs = {client.version: client.path for client in clients()}
    if which == "of another release":
        programs = {"newer": str(packages.require(*NEWER_CLIENT) / "usr/bin/docker")}
    for version, program in programs.items():
        run = partial(docker_script.outcomes, program, work=tmp_path / version)
        assert docker_script.differences(at_all(found.all, run)) == {}, version


def test_buildx_builds_what_then_runs(found: Targets, tmp_path: Path) -> None:
    def story(target: Target) -> None:
        client = newer_client(tmp_path / target.name)
        context = tmp_path / target.name / "context"
        context.mkdir()

        def docker(*words: str) -> str:
            return client.run(target.url, *words, cwd=context, variables=target.environ).stdout.strip()

        for version in ("first", "second"):
            (context / "Dockerfile").write_text(
                f"FROM busybox\nRUN echo {version} > /v\nCMD cat /v /proc/sys/kernel/hostname\n"
            )
            docker("buildx", "build", "--network", "none", "-t", "app:1", ".")
            assert docker("run", "--rm", "app:1").split()[0] == version
            key = docker("buildx", "build", "--network", "none", "-q", ".")
            for _ in range(3):
                assert docker("run", "--rm", key).split()[0] == version
        assert docker("images", "--format", "{{.Repository}}:{{.Tag}}", "app") == "app:1"
        docker("rmi", "app:1")

    at_all(found.all, story)


def test_dockerode(found: Targets, tmp_path: Path) -> None:
    modules = trees.node_tree("dockerode@5.0.1") / "node_modules"

    def story(target: Target) -> Any:
        environ = environ_of(target, tmp_path / target.name, NODE_PATH=str(modules))
        return json.loads(printed(["node", str(PROGRAMS / "dockerode.js"), "shop"], tmp_path, environ))

    seen = at_all(found.all, story)
    assert seen == dict.fromkeys(seen, seen["engine"])
    assert seen["engine"]["events"] == [["create", "shop"], ["start", "shop"], ["die", "shop"], ["destroy", "shop"]]


COMPOSE = """
services:
  web:
    image: busybox
    command: sh -c 'mkdir /www && echo hello > /www/index.html && exec httpd -f -p 8000 -h /www'
    ports: ["8000"]
    stop_grace_period: 0s
"""


def test_testcontainers(found: Targets, tmp_path: Path) -> None:
    """The reaper is off, for its image is not here. A manager's containers are held on one engine, as the page says."""
    tree = trees.python_tree(*PYTHON_CLIENTS)
    node = found.engines[2]

    def story(target: Target) -> object:
        client = newer_client(tmp_path / target.name)
        place = tmp_path / target.name / "project"
        place.mkdir()
        (place / "compose.yaml").write_text(COMPOSE)
        held = target.name == "manager"
        labels = {"com.docker.swarm.constraints": f'["node=={node.name}"]'} if held else {}
        path = {"PYTHONPATH": str(tree), "PATH": f"{client.docker.parent}:{os.environ['PATH']}"}
        more = {"DOCKER_CONFIG": str(client.config), "TESTCONTAINERS_RYUK_DISABLED": "true"}
        if held:
            more["TESTCONTAINERS_HOST_OVERRIDE"] = node.address
        environ = environ_of(target, tmp_path / target.name / "home", **path, **more)
        program = str(PROGRAMS / "with_testcontainers.py")
        return json.loads(printed([sys.executable, program, json.dumps(labels), str(place)], tmp_path, environ))

    seen = at_all(found.some(*OURS), story)
    right = {
        "fetched": "hello", "exec": [4, "inside\n"], "logs": ["ready", ""], "alias": "hello\n",
        "compose": ["in a service", 0], "service": "hello",
    }  # fmt: skip
    assert seen == dict.fromkeys(OURS, right)


def ansible(work: Path, target: Target, *words: str, **more: str) -> str:
    """What a command of Ansible prints, with the collection community.docker."""
    path = {"PYTHONPATH": str(trees.python_tree(*ANSIBLE)), "ANSIBLE_LOCAL_TEMP": str(work / "tmp")}
    collections = trees.collection_tree(*COLLECTIONS)
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "LC_ALL": "C.UTF-8",
    }
    environ = environ_of(target, work / "home", **path, **settings, **more)
    return printed([sys.executable, "-m", "ansible", *words], work, environ)


def test_ansibles_modules_are_idempotent(found: Targets, tmp_path: Path) -> None:
    trees.python_tree(*ANSIBLE), trees.collection_tree(*COLLECTIONS)  # skips in this thread

    def story(target: Target) -> dict[str, bool]:
        extra = json.dumps({"app": "shop", "ansible_python_interpreter": sys.executable})
        (tmp_path / target.name).mkdir()
        play = ("playbook", "-i", "localhost,", "-e", extra, str(PROGRAMS / "playbook.yml"))
        report = json.loads(ansible(tmp_path / target.name, target, *play))
        return {task["task"]["name"]: task["hosts"]["localhost"]["changed"] for task in report["plays"][0]["tasks"]}

    for name, changed in at_all(found.some(*OURS), story).items():
        right = {task: not task.endswith(("again", "info", "there")) for task in changed}
        assert changed == right, name
        assert len(changed) == 17


def test_ansibles_inventory_of_machines(found: Targets, tmp_path: Path) -> None:
    """The plugin community.docker.docker_machine runs `docker-machine`: ls, inspect, env and ip."""
    (tmp_path / "docker_machine.yml").write_text(
        "plugin: community.docker.docker_machine\nrunning_required: true\nverbose_output: true\ndaemon_env: require\n"
    )
    here = Path(sys.executable).parent
    more = {"PATH": f"{here}:{os.environ['PATH']}", "MACHINE_STORAGE_PATH": str(found.store)}
    machine = found["machine"]
    target = machine._replace(environ={})
    words = ("inventory", "-i", "docker_machine.yml", "--list")
    listed = json.loads(ansible(tmp_path, target, *words, **more))
    variables = listed["_meta"]["hostvars"][MACHINE]
    assert {name: variables[f"dm_{name}"] for name in machine.environ} == machine.environ
    assert variables["ansible_host"] == variables["docker_machine_node_attributes"]["Driver"]["IPAddress"]
    assert variables["ansible_host"].partition(":")[0] == machine.ports_at  # the driver none keeps the port, too
    assert variables["docker_machine_node_attributes"]["DriverName"] == "none"


DOCKER_PY = ("docker", "7.0.0")  # the last release whose archive has its tests
SWARM_MODE = ("api_service", "api_swarm", "api_secret", "api_config", "models_services", "models_swarm", "models_nodes")
NOT_DOCKER_PY = (
    *("credentials", "context_api_test.py", "api_plugin_test.py"),
    *(f"{name}_test.py" for name in SWARM_MODE),
)
SLOW = (
    *("test_invalid_log_driver_raises_exception", "test_create_volume_invalid_driver"),  # dockerd waits 15 s for each
    "(models_containers and test_restart)",  # the engine waits 10 s; RestartContainerTest asks the same with less
)
IN_SWARM_MODE = ("network_with_scope", "network_attachable", "network_ingress")  # they make a swarm of Docker's mode
COUNTS = ("test_list_containers",)  # containers of tests before it may be going while it counts
PULLS = ("pull", "test_tag_and_remove", "test_list_with_repository", "distribution", "does_not_exist")  # no registry
OF_ITS_OWN = {  # by chance, at an engine asked directly as well: test_attach_with_logs_to_what_has_ended is for it
    "AttachContainerTest.test_attach_no_stream": "it loses what comes in one packet with the head of the answer",
    "ContainerTest.test_top": "it looks for its program before runc has become that, on a busy computer",
    **{  # they read the logs right after the start, and do not wait for `ls` to write
        f"BuildTest.test_build_{name}_dockerfile": "it reads an output that may not be written yet"
        for name in ("in_context", "in_context_nested", "in_context_abs", "out_of_context")
    },
}
DOCKER_PY_EXPLAINED = {
    "manager": {
        **OF_ITS_OWN,
        "ContainerCPUTest.test_container_cpu_shares": "classic Swarm's shares are CPUs: 512 of them are not there",
        "ContainerTest.test_update": "the same: 2 shares are given to the engine as 1024 of 1024",
        "CreateContainerTest.test_create_container_with_volumes_from": "it takes volumes of containers on two engines",
        "CreateContainerTest.test_create_with_links": "it links to containers on two engines",
        "ListImagesTest.test_images": "the count in info is not of layers between, which the list has with all=1",
    },
    "aggregate": OF_ITS_OWN,
}


def test_the_suite_of_docker_py(found: Targets, tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/tests").symlink_to(source_archive(*DOCKER_PY) / "tests")
    words = ["tests/integration", *(f"--ignore=tests/integration/{name}" for name in NOT_DOCKER_PY)]
    words += ["-k", " and ".join(f"not {name}" for name in (*SLOW, *IN_SWARM_MODE, *COUNTS, *PULLS))]
    suite = Suite(tmp_path / "suite", tuple(words), tmp_path)
    assert failures_of_ours(found.all, suite, DOCKER_PY_EXPLAINED) == {}


ATTACH = (
    "POST /v1.41/containers/ended/attach?logs=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\n"
    "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
)


def test_attach_with_logs_to_what_has_ended(found: Targets) -> None:
    def story(target: Target) -> list[bytes]:
        docker(target.url, "run", "--name", "ended", "busybox", "sh", "-c", "echo out; echo err >&2")
        answers = []
        for _ in range(10):
            host, _, port = target.url.removeprefix("tcp://").partition(":")
            with socket.create_connection((host, int(port)), 30) as connection:
                connection.sendall(ATTACH.encode())
                head, _, body = b"".join(iter(partial(connection.recv, 4096), b"")).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
            answers.append(b"".join(sorted(body[at : at + 12] for at in range(0, len(body), 12))))
        return answers

    both = b"\1\0\0\0\0\0\0\4out\n" + b"\2\0\0\0\0\0\0\4err\n"
    for name, answers in at_all(found.some("engine", "manager", "aggregate"), story).items():
        assert answers == [both] * 10, name


NOT_AIODOCKER = (  # swarm mode in a container of its own; what asks no engine
    "configs", "context", "nodes", "secrets", "services", "swarm", "ssh", "utils", "stream", "jsonstream",
    "flow_control_queue",
)  # fmt: skip
AIODOCKER_ELSEWHERE = (
    "push_image", "delete_image", "pups_image", "(pull_image and not invalid)", "run_container_with_missing_image",
    "run_existing", "run_failing_start", "prune_images", "build_from_remote",  # these need a registry
    "test_restart", "test_stop_with",  # these wait for what does not end when told to
)  # fmt: skip
AIODOCKER_OF_ITS_OWN = {  # by chance, at an engine asked directly as well; test_dockerode looks at the same events
    "test_integration.test_events": "it makes a container before its subscription has come to the engine",
}
AIODOCKER_EXPLAINED = {
    "manager": {
        **AIODOCKER_OF_ITS_OWN,
        "test_networks.test_list_networks": "a network that each engine has is shown as NODE/none",
    },
    "aggregate": AIODOCKER_OF_ITS_OWN,
}


def test_the_suite_of_aiodocker(found: Targets, tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/tests").symlink_to(source_archive(*AIODOCKER.split("==")) / "tests")
    (tmp_path / "suite/pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"
    )
    words = ["tests", *(f"--ignore=tests/test_{name}.py" for name in NOT_AIODOCKER)]
    words += ["-k", " and ".join(f"not {name}" for name in AIODOCKER_ELSEWHERE)]
    suite = Suite(tmp_path / "suite", tuple(words), tmp_path, trees.python_tree(*PYTHON_CLIENTS))
    assert failures_of_ours(found.all, suite, AIODOCKER_EXPLAINED) == {}
