"""`create` and `rm` of cloud drivers on what stands in for the clouds: calls of the API, and seconds.

The instance is a lab host that has Docker, so what is left is the program's own time and the API's answers. For real
clouds add a round trip for each call, and the boot.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.figures import Failed, Row, Samples
from tests.bench.subject import Subject, timed
from tests.drivers.amazonec2 import test_lab as amazon_lab
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.amazonec2.moto import Moto
from tests.drivers.digitalocean import test_lab as ocean_lab
from tests.drivers.digitalocean.ocean import Ocean
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import settled

PACKAGES = {"libcloud": "apache-libcloud"}  # module -> what pip calls it, where that differs


@dataclass(frozen=True)
class Case:
    """A driver and what stands in for its cloud; `line` is `create` as typed, `boots` makes the host its machine."""

    driver: str
    package: str  # the SDK
    fresh: Callable[[], Any]  # a Cloud with an account of its own
    line: Callable[[Any, Host], list[str]]
    boots: Callable[[Any, Host], None]
    close: Callable[[Any], None]


def rows(subject: Subject) -> Iterator[Row]:
    """Two rows a driver; one that says why where no host can be booted."""
    moto: list[Moto] = []

    def amazon() -> Ec2:
        moto[:] = moto or [Moto(subject.place / "moto")]
        return Ec2(moto[0])

    cases = (
        Case("amazonec2", "boto3", amazon, amazon_lab.typed, amazon_lab.boots, lambda cloud: cloud.door.close()),
        Case(
            "digitalocean",
            "libcloud",
            Ocean,
            lambda cloud, host: ocean_lab.typed(cloud),
            ocean_lab.boots,
            lambda cloud: cloud.close(),
        ),
    )
    try:
        for case in cases:
            try:
                needs(subject, case.package)
                lab = Lab()
            except (Failed, LabUnavailable) as why:
                yield Row(f"create -d {case.driver}", Samples(), remark=f"not measured: {why}")
                continue
            with lab:
                yield from measured(subject, lab, case)
    finally:
        for server in moto:
            server.stop()


def needs(subject: Subject, package: str) -> None:
    """Have an SDK beside the measured program."""
    if subprocess.run([subject.python, "-c", f"import {package}"], capture_output=True, check=False).returncode:
        timed(
            [subject.python, "-m", "pip", "install", "--quiet", "--compile", PACKAGES.get(package, package)], os.environ
        )


def measured(subject: Subject, lab: Lab, case: Case) -> Iterator[Row]:
    """`create` and `rm` of one driver."""
    made, removed = Samples(), Samples()
    calls = {"create": 0, "rm": 0}
    for number in range(subject.runs):
        cloud = case.fresh()
        host = lab.host(f"{case.driver[:6]}{number}", engine="running")
        settled(host)
        line = case.line(cloud, host)
        case.boots(cloud, host)
        place = subject.place / f"{case.driver}-{number}"
        environ = {**os.environ, **cloud.credentials(), "HOME": str(place), "MACHINE_STORAGE_PATH": str(place)}
        try:
            for samples, words in ((made, line), (removed, ["rm", "-y", "dev"])):
                samples.seconds.append(timed([subject.program, *words], environ))
                calls[words[0]] = len(cloud.door.names()) - (calls["create"] if words[0] == "rm" else 0)
        except Failed as why:
            made.failure = str(why)
            break
        finally:
            case.close(cloud)
            lab.drop(host)
    yield Row(f"create -d {case.driver}, Docker there", made, remark=f"{calls['create']} calls of the API")
    yield Row(f"rm, {case.driver}", removed, remark=f"{calls['rm']} calls of the API")
