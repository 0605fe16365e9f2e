"""`create` and `rm` of cloud drivers on what stands in for the clouds: calls of the API, and seconds.

The machine is a lab host that has Docker, so what is left is the program's own time and the API's answers. For real
clouds add a round trip for each call, and the boot. A real docker-machine is measured beside where its driver can be
pointed at the stand-in (amazonec2, openstack).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import statistics
import subprocess
import time
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tests.drivers.digitalocean.ocean import Ocean
from tests.drivers.door import Call
from tests.drivers.openstack import test_lab as stack_lab
from tests.drivers.openstack.stack import Stack
from tests.drivers.virtualbox import places
from tests.drivers.virtualbox.fake import Fake
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import settled

Costs = dict[tuple[str, str], list[tuple[int, float]]]  # (who, verb) -> (calls, seconds of processor) of every run


@dataclass(frozen=True)
class Case:
    """A driver and what stands in for its cloud; `lab` has `typed` and `boots` (see tests/drivers/story.py)."""

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
    undo.callback(cloud.door.close)
    return cloud


def amazon_of_peers(cloud: Ec2, host: Host) -> list[str]:
    """Its driver has no flag for a fixed address: the door adds it to the request."""

    def fixed(call: Call) -> Call:
        more = urllib.parse.urlencode({"NetworkInterface.1.PrivateIpAddress": host.address})
        return dataclasses.replace(call, body=call.body + b"&" + more.encode())

    forward = cloud.door.forward
    cloud.door.forward = lambda call: forward(fixed(call) if call.name == "RunInstances" else call)  # type: ignore[method-assign]
    subnet = amazon_lab.subnet(cloud, host)
    (found,) = cloud.moto.client().describe_subnets(SubnetIds=[subnet])["Subnets"]
    flags = {
        "endpoint": cloud.door.url,
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
    undo.callback(cloud.door.close)
    return cloud


def ocean(place: Path, undo: contextlib.ExitStack) -> Ocean:
    """An account behind DigitalOcean's own description."""
    cloud = Ocean()
    undo.callback(cloud.close)
    return cloud


def stack(place: Path, undo: contextlib.ExitStack) -> Stack:
    """A project of the services in memory."""
    cloud = Stack()
    undo.callback(cloud.close)
    return cloud


def stack_of_peers(cloud: Stack, host: Host) -> list[str]:
    """Its driver needs a project under its old name, a domain, the image's login, and a group that lets it in."""
    flags = {option: value for option, value in cloud.options().items() if option != "openstack-project-name"}
    flags |= {"openstack-tenant-name": cloud.options()["openstack-project-name"], "openstack-domain-name": "Default"}
    flags |= {"openstack-ssh-user": "ubuntu", "openstack-sec-groups": "default"}
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    return ["create", "-d", "openstack", *words, "dev"]


CASES = (
    Case("amazonec2", "boto3", amazon, amazon_lab, amazon_of_peers),
    Case("azure", "azure.mgmt.compute", azure, azure_lab),
    Case("digitalocean", "libcloud", ocean, ocean_lab),
    Case("openstack", "openstack", stack, stack_lab, stack_of_peers),
)


def rows(subject: Subject, cases: tuple[Case, ...] = CASES) -> Iterator[Row]:
    """Two rows a driver; one that says why where no host can be booted."""
    for case in cases:
        try:
            needs(subject, case)
            lab = Lab()
        except (Failed, LabUnavailable) as why:
            yield Row(f"create -d {case.driver}", Samples(), remark=f"not measured: {why}")
            continue
        with lab:
            yield from measured(subject, lab, case)
    if cases is CASES:
        yield from hypervisor(subject)


def hypervisor(subject: Subject) -> Iterator[Row]:
    """The driver virtualbox on a VBoxManage that answers as recorded; nothing boots behind it, so up to `startvm`."""
    made, removed = Samples(), Samples()
    calls: list[int] = []
    for number in range(subject.runs):
        place = subject.place / f"virtualbox-{number}"
        fake = Fake(place / "virtualbox")
        driver = places.driver(place, fake.run)
        for samples, act in ((made, driver.create), (removed, driver.remove)):
            began, before = time.perf_counter(), len(fake.calls())
            if act == driver.create:
                driver.check()
            act()
            samples.seconds.append(time.perf_counter() - began)
            calls.append(len(fake.calls()) - before)
    yield Row("create -d virtualbox, without its boot", made, remark=f"{calls[-2]} calls of VBoxManage")
    yield Row("rm, virtualbox", removed, remark=f"{calls[-1]} calls of VBoxManage")


def needs(subject: Subject, case: Case) -> None:
    """Have the SDK beside the measured program: what pyproject.toml names for the driver."""
    if subprocess.run([subject.python, "-c", f"import {case.package}"], capture_output=True, check=False).returncode:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        timed([subject.python, "-m", "pip", "install", "--quiet", "--compile", *extras[case.driver]], os.environ)


def measured(subject: Subject, lab: Lab, case: Case) -> Iterator[Row]:
    """`create` and `rm` of one driver, by turns with docker-machine's where that is possible."""
    who = ["ours", *[PEER] * bool(subject.peer and case.peers)]
    made = {name: Samples() for name in who}
    removed = {name: Samples() for name in who}
    costs: Costs = {}
    for number in range(subject.runs):
        for name in who:
            if not made[name].failure:
                found = {"create": made[name], "rm": removed[name]}
                one(subject, lab, case, who=name, number=number, found=found, costs=costs)
    for what, verb, found in (
        (f"create -d {case.driver}, Docker there", "create", made),
        (f"rm, {case.driver}", "rm", removed),
    ):
        remark = told(costs.get(("ours", verb), []))
        if PEER in who:
            remark += f" (theirs: {told(costs.get((PEER, verb), []))})"
        yield Row(what, found["ours"], PEER * (PEER in who), found.get(PEER, Samples()), remark=remark)


def told(costs: list[tuple[int, float]]) -> str:
    """Calls of the API, and the processor's time, which a busy host changes less than seconds."""
    if not costs:
        return "no figures"
    calls, seconds = zip(*costs, strict=True)
    return f"{statistics.median_high(calls)} calls of the API, {statistics.median(seconds):.1f} s of processor"


def processor() -> float:
    """Seconds that programs which were started here, and have ended, had a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one(
    subject: Subject,
    lab: Lab,
    case: Case,
    *,
    who: str,
    number: int,
    found: Mapping[str, Samples],
    costs: Costs,
) -> None:
    """One machine of ours or of the peer's, on a fresh account and a fresh host; `found` and `costs` are added to."""
    peer = who == PEER
    store = f"{case.driver}-{who}-{number}"
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
        program = subject.peer if peer else subject.program
        try:
            for words in (line, ["rm", "-y", "dev"]):
                calls, busy = len(cloud.door.names()), processor()
                found[words[0]].seconds.append(timed([program, *words], environ))
                cost = len(cloud.door.names()) - calls, processor() - busy
                costs.setdefault((who, words[0]), []).append(cost)
        except Failed as why:
            for samples in found.values():
                samples.failure = f"{who} failed: {why}"
