"""What a driver is: it decides and asks one platform; it does not wait, print, log in or know TLS.

The driver of plugins is the exception: it waits for the calls of its program, which has this program's environment.

The order of calls is lifecycle.create's: configure, check, create until it is not InProgress any more, then state and
endpoint until both are known. Each call may come again after a crash; each must then finish the work rather than do it
twice. `state`, `endpoint` and `explain` are queries: they make, change and save nothing.

Any other driver must not sleep, read the environment or argv, print, open ssh, install Docker, use a shell string or
let an SDK's exception escape (translate to the classes in machine.errors, DriverError by default).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from machine.drivers.record_keys import RecordKeys, record_keys_of
from machine.errors import DriverError, NotSupported, as_preflight_error
from machine.model import Endpoint, State, Verb
from machine.options import Option, Values
from machine.process import Completed
from machine.wait import Clock


@contextmanager
def preflight_errors() -> Iterator[None]:
    """For the body of `check`: a DriverError from within is one of the checks before a create."""
    try:
        yield
    except DriverError as error:
        raise as_preflight_error(error) from None


@dataclass(frozen=True)
class DriverContext:
    """All of the world that a driver may touch."""

    name: str  # the machine's
    directory: str  # the machine's own; exists, mode 0700; removed after `remove`
    store: str  # the store's root, for caches shared by machines
    machine_id: str  # unique; every object made on a platform carries it
    public_key: str  # of the machine's key, a line of authorized_keys; "" before it is made, or if it is not here
    save: Callable[[Driver], None]  # write the driver's `dump` to disk now, atomically
    log: Callable[[str], None]  # one line of progress
    clock: Clock
    run: Callable[..., Completed]  # machine.process.run
    lock: Callable[[str], AbstractContextManager[None]]  # by the lock's name: one holder per store, across processes
    siblings: Callable[[], list[dict[str, Any]]]  # dumps of this driver's other machines in the store
    user_data: str = ""  # extra cloud-config, for platforms that take some
    cluster_ports: Sequence[int] = field(default=())  # to be opened besides ssh and the engine


@dataclass(frozen=True)
class Traits:
    """What one driver is and can do; the same for all its machines, and known without asking its platform."""

    name: str  # as `create -d` takes it
    options: Sequence[Option]  # the only place a flag is declared: CLI, env, docs and checks read it
    summary: str = ""  # what a machine of it is, a few words for `machine drivers`
    needs: str = ""  # what must be there or given before `create`, in one line; "" if nothing
    has_host: bool = True  # False: there is nothing to log in to
    can_power: bool = False  # True: it switches machines on and off; else `power` is refused
    restart_over_ssh: bool = False  # True: the caller reboots the host over ssh
    existing_host: bool = False  # True: the host was there before, so a refused login is final
    behind_nat: bool = False  # True: only this computer, and machines of the same driver, reach it
    host_gateway: str = ""  # the address at which a machine reaches the computer that it runs on
    boot_timeout: float = 300.0  # seconds, from power-on to a known endpoint and again to ssh
    firewall: str = "the firewall"  # what the platform calls the thing that lets packets in

    @property
    def record_keys(self) -> RecordKeys:
        """Which keys of its object in config.json are secret, say where its network is, and so on."""
        return record_keys_of(self.name)


class Driver(ABC):
    """One machine on one platform."""

    traits: ClassVar[Traits]

    def __init__(self, ctx: DriverContext) -> None:
        self.ctx = ctx
        self.boot_timeout = self.traits.boot_timeout  # some drivers have an option for it

    @classmethod
    @abstractmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        """A driver for a new machine, from option values. Pure: UsageError on nonsense, no I/O."""

    @classmethod
    @abstractmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        """The driver of a stored machine, from config.json's Driver object (unknown keys are kept)."""

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """The Driver object for config.json, in docker-machine's key names where it has them.

        Values of options with `secret=True` go under their option's `key`; the caller stores them elsewhere.
        """

    @classmethod
    def secret_options(cls, data: dict[str, Any]) -> Sequence[Option]:  # noqa: ARG003 (for those that differ by machine)
        """The options whose values are kept apart from the Driver object `data`. Asks nobody."""
        return cls.traits.options

    @abstractmethod
    def check(self) -> None:
        """Read-only preflight: PreflightFailed, naming the flag, when `create` could not work. Makes nothing."""

    @abstractmethod
    def create(self) -> None:
        """Ask for the machine, switch it on, return; every id goes to `ctx.save(self)` before it is needed.

        Raises InProgress if the next thing can only be made later (a server's address, once it runs): it is called
        again.
        """

    @abstractmethod
    def state(self) -> State:
        """One question, which changes nothing. MISSING when the platform does not know the machine (any more)."""

    @abstractmethod
    def endpoint(self) -> Endpoint | None:
        """How to reach it, None while not known yet. One question, which changes nothing."""

    def power(self, verb: Verb) -> None:
        """START STOP KILL RESTART: ask and return; already there is success. `state` tells when it is done.

        Raises InProgress if a START has to wait until something has ended: it is called again.
        """
        raise NotSupported(
            f"the driver {self.traits.name} cannot {verb} a machine",
            resolution=f"{verb} {self.ctx.name} by its own means",
        )

    @abstractmethod
    def remove(self) -> None:
        """Remove all that `create` made, newest first; absent is success.

        Raises InProgress if the rest must wait until the platform has ended something: it is called again.
        """


@runtime_checkable
class ConsoleLog(Protocol):
    """The platform keeps what the machine printed while booting."""

    def console_log(self) -> str: ...


@runtime_checkable
class AcceptsHostKey(Protocol):
    """The platform can give the machine its ssh host key; called before `create`, with private and public halves.

    False: this machine will show one of its own making, so the first one seen is believed, as without this capability.
    """

    def give_host_key(self, private: str, public: str) -> bool | None: ...


@runtime_checkable
class ProvidesSshKey(Protocol):
    """The user's own ssh key is used: its path (copied into the machine's directory), or "" for the agent's keys.

    None: this machine gets a key of its own, as if the driver had no such capability.
    """

    def key_path(self) -> str | None: ...


@runtime_checkable
class AccountAware(Protocol):
    """The platform has accounts, each of which sees its own machines only, and says which one we ask with."""

    def account_recorded(self) -> str:
        """The one that `create` asked with, from the record; "" if that is not known. Asks nobody."""

    def current_account(self) -> str:
        """The one that would be asked now; "" if the platform does not tell. One question."""


@runtime_checkable
class HasForwarder(Protocol):
    """A forwarder, a process of ours, runs beside each machine; machine.forwarder_lock tells when it was ended."""

    def restart_forwarder(self) -> bool:
        """Start it again if the machine runs; whether it does. Harmless when it still runs."""


@runtime_checkable
class EndsProcesses(Protocol):
    """Machines are processes of this computer, which the machine's directory proves to be its own without a record."""

    @classmethod
    def end_processes(cls, directory: str, run: Callable[..., Completed], clock: Clock) -> Sequence[str]:
        """End those that are proven to be of the machine in `directory`, and no other; the name of each that ended."""


@runtime_checkable
class GrowsDisk(Protocol):
    """The machine's root file system is to grow to the size of its disk at the first boot."""

    def disk_megabytes(self) -> tuple[int, int]:
        """(MB of the disk, MB of the image that it was made from); equal when there is nothing to grow."""


@runtime_checkable
class Priced(Protocol):
    """The platform tells what a machine would cost, in lines for `create --dry-run`. DriverError if it cannot now."""

    def prices(self) -> Sequence[str]: ...


@runtime_checkable
class Diagnosable(Protocol):
    """The platform knows why a machine may be unreachable: one sentence for the error, "" if it knows nothing."""

    def explain(self) -> str: ...
