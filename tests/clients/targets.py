"""What clients are pointed at: an engine, a machine (an engine behind TLS in a store), a manager and an aggregate."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import certs
from tests.clients.images import give_images, make_images
from tests.sshd import free_port
from tests.swarm.network_namespaces import Islands, NamespacedEngine
from tests.swarm.real_manager import Manager
from tests.swarmd.test_serve import swarmd

MACHINE = "dev"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the library requests prefers these to the CA that it is told
T = TypeVar("T")


class Target(NamedTuple):
    """One endpoint for clients: `name` says which, `environ` has the variables that lead to it."""

    name: str
    environ: dict[str, str]
    ports_at: str  # the host at which its containers' published ports are, "" where each engine has its own

    @property
    def url(self) -> str:
        """The value of DOCKER_HOST."""
        return self.environ["DOCKER_HOST"]


@dataclass(frozen=True)
class Targets:
    """All endpoints, by name, the store in which the machine is, and the engines behind them."""

    all: dict[str, Target]
    store: Path
    engines: Sequence[NamespacedEngine]
    images: bytes

    def __getitem__(self, name: str) -> Target:
        return self.all[name]

    def some(self, *names: str) -> dict[str, Target]:
        """Some of them, by name."""
        return {name: self.all[name] for name in names}

    def clear(self) -> None:
        """Remove from the engines whatever a client left there, and give them the images that it may have removed."""
        with ThreadPoolExecutor(len(self.engines)) as side_by_side:
            list(side_by_side.map(_clear, self.engines))
        give_images(self.images, self.engines)


def _clear(engine: NamespacedEngine) -> None:
    """Remove an engine's containers, networks and volumes."""
    for kind, listing in (("container", "ls -aq"), ("network", "ls -qf type=custom"), ("volume", "ls -q")):
        found = engine.docker(kind, *listing.split()).stdout.split()
        if found:
            engine.docker(kind, "rm", "-f" if kind != "network" else "--", *found, check=False)


@contextmanager
def targets(directory: Path) -> Iterator[Targets]:
    """Six engines: one alone, two of a manager, two of an aggregate, and the machine; with the suites' images."""
    with ExitStack() as stack:
        store = directory / "store"
        islands = Islands(6)
        machine = islands.all[5]
        machine.flags = (*machine.flags, *_certificates(store, machine))
        engines = stack.enter_context(islands)
        images = make_images(engines[0])
        give_images(images, engines[1:])
        manager = stack.enter_context(Manager(engines[1:3], directory))
        aggregate = f"tcp://127.0.0.1:{free_port()}"
        joined = " ".join(f'"dockerclient {engine.url}"' for engine in engines[3:5])
        stack.enter_context(swarmd(f"dockerserver {aggregate}", f"aggregate {joined}"))
        found = [
            Target("engine", {"DOCKER_HOST": engines[0].url}, engines[0].address),
            Target("manager", {"DOCKER_HOST": manager.url}, ""),
            Target("aggregate", {"DOCKER_HOST": aggregate}, ""),
            Target("machine", _variables(store), machine.address),
        ]
        yield Targets({target.name: target for target in found}, store, engines, images)


def command(store: Path, *words: str) -> str:
    """What our docker-machine prints on `words` over a store."""
    argv = [str(Path(sys.executable).with_name("docker-machine")), "-s", str(store), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout


def _certificates(store: Path, machine: NamespacedEngine) -> tuple[str, ...]:
    """Make a machine of the driver none in the store; the flags with which dockerd has a certificate of its CA."""
    command(store, "create", "-d", "none", "--url", machine.url, MACHINE)
    kept = store / "certs"
    ca = certs.Pair((kept / "ca.pem").read_bytes(), (kept / "ca-key.pem").read_bytes())
    pair = certs.make_server(ca, "clients", [machine.address])
    (machine.directory / "server.pem").write_bytes(pair.cert)
    (machine.directory / "server-key.pem").write_bytes(pair.key)
    places = {"cacert": kept / "ca.pem", "cert": machine.directory / "server.pem"}
    places["key"] = machine.directory / "server-key.pem"
    return ("--tlsverify", *(f"--tls{name}={path}" for name, path in places.items()))


def _variables(store: Path) -> dict[str, str]:
    """What `docker-machine env` gives for the machine."""
    lines = command(store, "env", "--shell", "sh", MACHINE).splitlines()
    words = [line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")]
    return {name: value.strip('"') for name, _, value in words}


def at_all(found: Mapping[str, Target], what: Callable[[Target], T]) -> dict[str, T]:
    """Do something at each target at the same time; the results by name, or the first error with the target's name."""
    results: dict[str, T] = {}
    errors: dict[str, BaseException] = {}

    def one(target: Target) -> None:
        try:
            results[target.name] = what(target)
        except BaseException as error:  # it is raised again in the test's own thread
            errors[target.name] = error

    threads = [threading.Thread(target=one, args=(target,)) for target in found.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, error in errors.items():
        raise AssertionError(f"at the {name}: {error}") from error
    return results


def environ_of(target: Target, home: Path, **more: str) -> dict[str, str]:
    """A client's whole environment: an own HOME, and the way to the target."""
    home.mkdir(parents=True, exist_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    for name in BUNDLES:
        inherited.pop(name, None)
    return {**inherited, "HOME": str(home), "PYTHONPATH": "", **target.environ, **more}
