"""A real OpenStack for a test, or for an afternoon; see README.md beside this file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.labs import cleanup, image
from tests.labs.image import LabUnavailable
from tests.labs.openstack import guest, layers, needs, seed, settings
from tests.labs.openstack.api import Api
from tests.labs.openstack.box import WIRE, Nspawn


@dataclass(frozen=True)
class Cloud:
    """What a client of the cloud needs to know."""

    auth_url: str = settings.KEYSTONE
    region: str = settings.REGION
    username: str = "demo"
    password: str = settings.PASSWORD
    project: str = "demo"
    domain: str = "Default"
    image: str = guest.NAME  # user `debian` by cloud-init's default; Docker is installed and off
    flavor: str = "m1.small"
    network: str = "public"  # its servers are reached from here at once
    private_network: str = "private"  # needs a floating IP
    floating_pool: str = "public"
    host: str = f"{settings.PUBLIC}.1"  # this computer as servers see it

    def environment(self, user: str = "demo") -> dict[str, str]:
        """The OS_* variables of `demo` or `admin`."""
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": user,
            "OS_PASSWORD": self.password,
            "OS_PROJECT_NAME": user,
            "OS_USER_DOMAIN_NAME": self.domain,
            "OS_PROJECT_DOMAIN_NAME": self.domain,
            "OS_REGION_NAME": self.region,
        }

    def admin(self) -> Api:
        """The administrator, who sees everybody's things."""
        return Api()

    def member(self) -> Api:
        """The ordinary user."""
        return Api("demo", "demo")


class OpenStack:
    """Starts the cloud; or takes the one that stands here already, which is then left standing.

    with OpenStack() as cloud:
        cloud.environment(), cloud.image, cloud.flavor, cloud.network
    """

    def __init__(self) -> None:
        """LabUnavailable where it cannot run; builds what is not built yet (minutes)."""
        missing = needs.missing()
        if missing:
            raise LabUnavailable("; ".join(missing))
        self.box: Nspawn | None = None  # None when it is somebody else's
        self.seconds: dict[str, float] = {}  # what took how long
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Cloud:
        if not self._alone():
            return Cloud()
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise
        return Cloud()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def _alone(self) -> bool:
        """Take the lock that a standing cloud holds for as long as it stands; False when one does already."""
        image.cache().mkdir(parents=True, exist_ok=True)
        lock = self._undo.enter_context((image.cache() / "openstack.lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            seed.wait("the cloud that another process starts does not come up", standing, seconds=1200)
            return False
        return True

    def _start(self) -> None:
        began = time.time()
        cleanup.sweep()
        lower = layers.layers()
        self.seconds["build"] = time.time() - began
        directory = Path(tempfile.mkdtemp(prefix=cleanup.PREFIX))
        self._undo.callback(shutil.rmtree, directory, ignore_errors=True)
        cleanup.claim(directory, WIRE)
        began = time.time()
        box = Nspawn(directory, lower, directory / "upper")
        box.start()
        self._undo.callback(box.end)
        self.box = box
        seed.wait("the administrator is not let in", Api)
        api = Api()
        seed.wait("workers and agents are not all alive", lambda: seed.beating(api, began) >= seed.HEARTBEATS)
        for service in settings.ENDPOINTS:
            seed.wait(f"{service} does not answer", partial(seed.answering, service))
        self.seconds["start"] = time.time() - began
        self._undo.callback(_ready().unlink, missing_ok=True)
        _ready().write_text(f"{os.getpid()} {cleanup.started(os.getpid())} {box.leader}\n")


@dataclass(frozen=True)
class RunningCloud:
    """A cloud that runs: the process that holds it, and number 1 of its box, as this computer numbers them."""

    owner: int
    leader: int


def standing() -> RunningCloud | None:
    """The cloud that stands on this computer."""
    try:
        owner, started, leader = _ready().read_text().split()
    except (OSError, ValueError):
        return None
    return RunningCloud(int(owner), int(leader)) if cleanup.started(int(owner)) == started else None


def _ready() -> Path:
    return image.cache() / "openstack.ready"
