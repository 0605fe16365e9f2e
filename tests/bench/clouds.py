"""`create` and `rm` of cloud drivers on what stands in for the clouds: calls of the API, and seconds.

The machine is a lab host that has Docker, so what is left is the program's own time and the API's answers. For real
clouds add a round trip for each call, and the boot. A docker-machine is run beside where its driver can be pointed at
the stand-in (amazonec2, openstack). On a real OpenStack: openstack.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import statistics
import subprocess
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.bench.adopt import FOR_THE_PEER
from tests.bench.figures import Failed, Row, Samples
from tests.bench.subject import PEER, ROOT, Subject, timed
from tests.drivers.amazonec2 import test_lab as amazon_lab
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.amazonec2.moto import IMAGES, REGION, Moto
from tests.drivers.azure import test_lab as azure_lab
from tests.drivers.azure.arm import Arm
from tests.drivers.azure.cloud import Azure, pki
from tests.drivers.digitalocean import test_lab as ocean_lab
from tests.drivers.digitalocean.fake_digitalocean import Ocean
from tests.drivers.fault_proxy import Call
from tests.drivers.hetzner import test_lab as hetzner_lab
from tests.drivers.hetzner.fake_hetzner import Hetzner
from tests.drivers.openstack import test_lab as stack_lab
from tests.drivers.openstack.fake_openstack import Stack
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import settled

Cost = tuple[int, float]  # calls of the API, seconds of processor
VERBS = ("create", "rm")
NOT_MEASURED = (Failed, AssertionError, pytest.skip.Exception)  # the other drivers are, all the same


@dataclass
class Tally:
    """What `create` and `rm` took one program, run by run."""

    who: str
    samples: dict[str, Samples] = field(default_factory=lambda: {verb: Samples() for verb in VERBS})
    costs: dict[str, list[Cost]] = field(default_factory=lambda: {verb: [] for verb in VERBS})

    @property
    def failed(self) -> bool:
        """It is not asked again then."""
        return any(samples.failure for samples in self.samples.values())

    def run(self, program: str, line: list[str], environ: Mapping[str, str], calls: Callable[[], int]) -> None:
        """One machine, made as `line` has it and removed; `calls` counts those of the API so far."""
        try:
            for words in (line, ["rm", "-y", "dev"]):
                before, busy = calls(), processor()
                self.samples[words[0]].seconds.append(timed([program, *words], environ))
                self.costs[words[0]].append((calls() - before, processor() - busy))
        except Failed as why:
            for samples in self.samples.values():
                samples.failure = f"{self.who} failed: {why}"

    def told(self, verb: str) -> str:
        """Calls of the API, and the processor's time, which a busy host changes less than seconds."""
        if not self.costs[verb]:
            return "no figures"
        calls, seconds = zip(*self.costs[verb], strict=True)
        return f"{statistics.median_high(calls)} calls of the API, {statistics.median(seconds):.1f} s of processor"


def compared(tallies: list[Tally], create: str, rm: str) -> Iterator[Row]:
    """A row for each verb, called so, of ours and of the peer's if that is the second."""
    for verb, what in zip(VERBS, (create, rm), strict=True):
        ours, *peers = tallies
        remark = ours.told(verb) + "".join(f" (theirs: {peer.told(verb)})" for peer in peers)
        theirs = peers[0].samples[verb] if peers else Samples()
        yield Row(what, ours.samples[verb], PEER * bool(peers), theirs, remark=remark)


@dataclass(frozen=True)
class Case:
    """A driver and what stands in for its cloud; `lab` has `typed` and `boots` (tests/drivers/machine_lifecycle.py)."""

    driver: str
    package: str  # a module of the SDK
    fresh: Callable[[Path, contextlib.ExitStack], Any]  # a Cloud with an account of its own
    lab: Any
    peers: Callable[[Any, Host], list[str]] | None = None  # `create` as docker-machine takes it


def amazon(place: Path, undo: contextlib.ExitStack) -> Ec2:
    """An account of moto_server."""
    moto = Moto(place / "moto")
    undo.callback(moto.stop)
    cloud = Ec2(moto)
    undo.callback(cloud.proxy.close)
    return cloud


def amazon_of_peers(cloud: Ec2, host: Host) -> list[str]:
    """Its driver has no flag for a fixed address: the proxy adds it to the request."""

    def fixed(call: Call) -> Call:
        more = urllib.parse.urlencode({"NetworkInterface.1.PrivateIpAddress": host.address})
        return dataclasses.replace(call, body=call.body + b"&" + more.encode())

    forward = cloud.proxy.forward
    cloud.proxy.forward = lambda call: forward(fixed(call) if call.name == "RunInstances" else call)  # type: ignore[method-assign]  # of this one proxy
    subnet = amazon_lab.subnet(cloud, host)
    (found,) = cloud.moto.client().describe_subnets(SubnetIds=[subnet])["Subnets"]
    flags = {
        "endpoint": cloud.proxy.url,
        "region": REGION,
        "zone": found["AvailabilityZone"][-1],
        "vpc-id": found["VpcId"],
        "subnet-id": subnet,
        "ami": IMAGES[1]["ami_id"],
        "instance-type": "t3.small",
    }
    words = [word for flag, value in flags.items() for word in (f"--amazonec2-{flag}", str(value))]
    return ["create", "-d", "amazonec2", *words, "--amazonec2-private-address-only", "dev"]


def azure(place: Path, undo: contextlib.ExitStack) -> Azure:
    """A subscription of the fake Resource Manager, where what is deleted is gone at once."""
    arm = Arm(quick=True)
    undo.callback(arm.stop)
    cloud = Azure(arm, pki(place / "pki"))
    undo.callback(cloud.proxy.close)
    return cloud


def ocean(place: Path, undo: contextlib.ExitStack) -> Ocean:
    """An account behind DigitalOcean's own description."""
    cloud = Ocean()
    undo.callback(cloud.close)
    return cloud


def hetzner(place: Path, undo: contextlib.ExitStack) -> Hetzner:
    """A project in memory."""
    cloud = Hetzner()
    undo.callback(cloud.close)
    return cloud


def stack(place: Path, undo: contextlib.ExitStack) -> Stack:
    """A project of the services in memory."""
    cloud = Stack()
    undo.callback(cloud.close)
    return cloud


def stack_of_peers(cloud: Stack, host: Host) -> list[str]:
    """Project and image by id: it looks names up in a Keystone of v2.0, which is gone, and in Nova, which may be told
    not to list images. Its driver also needs a domain, the image's login, and a group that lets it in."""
    options = cloud.options()
    (image,) = [one for one in cloud.project.images if one["name"] == options["openstack-image-name"]]
    flags = {
        **{name: options[name] for name in ("openstack-auth-url", "openstack-username", "openstack-flavor-name")},
        "openstack-domain-name": "Default",
        "openstack-tenant-id": cloud.project.id,
        "openstack-image-id": image["id"],
        "openstack-ssh-user": "ubuntu",
        "openstack-sec-groups": "default",
    }
    return ["create", "-d", "openstack", *(word for flag in flags for word in (f"--{flag}", str(flags[flag]))), "dev"]


CASES = (
    Case("amazonec2", "boto3", amazon, amazon_lab, amazon_of_peers),
    Case("azure", "azure.mgmt.compute", azure, azure_lab),
    Case("digitalocean", "libcloud", ocean, ocean_lab),
    Case("hetzner", "hcloud", hetzner, hetzner_lab),
    Case("openstack", "openstack", stack, stack_lab, stack_of_peers),
)


def rows(subject: Subject, cases: tuple[Case, ...] = CASES) -> Iterator[Row]:
    """Two rows a driver; one that says why where no host can be booted."""
    try:
        lab = Lab()
    except LabUnavailable as why:
        yield from (unmeasured(case, why) for case in cases)
        return
    with lab:
        for case in cases:
            try:
                needs(subject, case)
                yield from measured(subject, lab, case)
            except NOT_MEASURED as why:
                yield unmeasured(case, why)


def unmeasured(case: Case, why: BaseException) -> Row:
    """Instead of figures."""
    return Row(f"create -d {case.driver}", Samples(), remark=f"not measured: {why}")


def needs(subject: Subject, case: Case) -> None:
    """Have the SDK beside the measured program: what pyproject.toml names for the driver."""
    if subprocess.run([subject.python, "-c", f"import {case.package}"], capture_output=True, check=False).returncode:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        timed([subject.python, "-m", "pip", "install", "--quiet", "--compile", *extras[case.driver]], os.environ)


def measured(subject: Subject, lab: Lab, case: Case) -> Iterator[Row]:
    """`create` and `rm` of one driver, by turns with docker-machine's where that is possible."""
    tallies = [Tally(name) for name in ("ours", *[PEER] * bool(subject.peer and case.peers))]
    for number in range(subject.runs):
        for tally in tallies:
            if not tally.failed:
                one(subject, lab, case, tally, number)
    yield from compared(tallies, f"create -d {case.driver}, Docker there", f"rm, {case.driver}")


def processor() -> float:
    """Seconds that programs which were started here, and have ended, had a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one(subject: Subject, lab: Lab, case: Case, tally: Tally, number: int) -> None:
    """One machine of ours or of the peer's, on a fresh account and a fresh host."""
    peer = tally.who == PEER
    store = f"{case.driver}-{tally.who}-{number}"
    with contextlib.ExitStack() as undo:
        cloud = case.fresh(subject.place / f"{store}-cloud", undo)
        host = lab.host(f"{case.driver[:5]}{'p' * peer}{number}", engine="running")
        undo.callback(lab.drop, host)
        settled(host)
        if peer:
            host.run(FOR_THE_PEER)
        line = case.peers(cloud, host) if peer and case.peers else case.lab.typed(cloud, host)
        case.lab.boots(cloud, host)
        environ = {**subject.environ(store), **cloud.credentials()}
        tally.run(subject.peer if peer else subject.program, line, environ, lambda: len(cloud.proxy.names()))
