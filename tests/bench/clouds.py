"""`create` and `rm` of cloud drivers on what stands in for the clouds: calls of the API, and seconds.

The instance is a lab host that has Docker, so what is left is the program's own time and the API's answers. For real
clouds add a round trip for each call, and the boot.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from tests.bench.figures import Failed, Row, Samples
from tests.bench.subject import Subject, timed
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.amazonec2.moto import Moto
from tests.drivers.amazonec2.test_lab import boots, typed
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Lab
from tests.provision.hosts import settled


def rows(subject: Subject) -> Iterator[Row]:
    """Two rows a driver; one that says why where no host can be booted."""
    try:
        needs(subject, "boto3")
        lab = Lab()
    except (Failed, LabUnavailable) as why:
        yield Row("create -d amazonec2", Samples(), remark=f"not measured: {why}")
        return
    with lab:
        yield from amazon(subject, lab)


def needs(subject: Subject, package: str) -> None:
    """Have an SDK beside the measured program."""
    if subprocess.run([subject.python, "-c", f"import {package}"], capture_output=True, check=False).returncode:
        timed([subject.python, "-m", "pip", "install", "--quiet", "--compile", package], os.environ)


def amazon(subject: Subject, lab: Lab) -> Iterator[Row]:
    """amazonec2 on moto_server."""
    moto = Moto(subject.place / "moto")
    made, removed = Samples(), Samples()
    calls = {"create": 0, "rm": 0}
    try:
        for number in range(subject.runs):
            cloud = Ec2(moto)
            host = lab.host(f"cloud{number}", engine="running")
            settled(host)
            line = typed(cloud, host)
            boots(cloud, host)
            place = subject.place / f"amazonec2-{number}"
            environ = {**os.environ, **cloud.credentials(), "HOME": str(place), "MACHINE_STORAGE_PATH": str(place)}
            try:
                for samples, words in ((made, line), (removed, ["rm", "-y", "dev"])):
                    samples.seconds.append(timed([subject.program, *words], environ))
                    calls[words[0]] = len(cloud.door.names()) - (calls["create"] if words[0] == "rm" else 0)
            except Failed as why:
                made.failure = str(why)
                break
            finally:
                cloud.door.close()
                lab.drop(host)
    finally:
        moto.stop()
    yield Row("create -d amazonec2, Docker there", made, remark=f"{calls['create']} calls of the API")
    yield Row("rm, amazonec2", removed, remark=f"{calls['rm']} calls of the API")
