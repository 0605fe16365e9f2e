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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from machine.drivers.record_keys import RecordKeys, record_keys_of
from machine.errors import DriverError, NotSupported, as_preflight_error
from machine.model import Endpoint, State, Verb
from machine.options import Option, Values
from machine.process import Completed
from machine.wait import Clock

SHUTDOWN_TIMEOUT = 90.0  # seconds; a driver may give its machines longer


@contextmanager
def preflight_errors() -> Iterator[None]:
    """A context for the body of `check`: a DriverError from within becomes a PreflightFailed, with the same words."""
    try:
        yield
    except DriverError as error:
        raise as_preflight_error(error) from error.__cause__


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
    in_cluster: bool = False  # it is, or is to be, a member of one: others than its owner may use its engine


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
    shares_home: bool = False  # True: machines of this computer, which get its user's home directory unless told
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
        """Return the driver of a new machine, made from option values. Asks nobody.

        Raises UsageError for values that make no machine.
        """

    @classmethod
    @abstractmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        """Return the driver of a machine in the store, made from the Driver object of its config.json.

        Keys that are not known are kept. Asks nobody.
        """

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """Return the Driver object for config.json, in docker-machine's key names where it has them.

        Values of options with `secret=True` go under their option's `key`; the caller stores them elsewhere.
        """

    @classmethod
    def secret_options(cls, data: dict[str, Any]) -> Sequence[Option]:  # noqa: ARG003 (for those that differ by machine)
        """Return the options whose values are kept apart from the Driver object `data`. Asks nobody."""
        return cls.traits.options

    @abstractmethod
    def check(self) -> None:
        """Look whether `create` can work, and make nothing: the preflight.

        Raises PreflightFailed, which names the flag, where it cannot.
        """

    @abstractmethod
    def create(self) -> None:
        """Ask for the machine, switch it on, and return; every id goes to `ctx.save(self)` before it is needed.

        Raises InProgress if the next thing can only be made later (a server's address, once it runs): it is called
        again.
        """

    @abstractmethod
    def state(self) -> State:
        """Return the state of the machine, MISSING when the platform does not know it (any more).

        One question, which changes nothing.
        """

    @abstractmethod
    def endpoint(self) -> Endpoint | None:
        """Return how to reach the machine, None while that is not known yet. One question, which changes nothing."""

    def power(self, verb: Verb) -> None:
        """Ask the platform to start, stop, kill or restart the machine, and return: `state` tells when it is done.

        A machine that is where `verb` brings it is success.

        Raises InProgress if a START has to wait until something has ended: it is called again.
        """
        raise NotSupported(
            f"the driver {self.traits.name} cannot {verb} a machine",
            resolution=f"{verb} {self.ctx.name} by its own means",
        )

    def host_gateway(self) -> str:
        """Return the address at which the machine reaches what listens on this computer's loopback, "" if it cannot.

        Asks nobody.
        """
        return self.traits.host_gateway

    def shutdown_timeout(self) -> float:
        """Return the seconds that a machine has to shut down before its power is cut."""
        return SHUTDOWN_TIMEOUT

    @abstractmethod
    def remove(self) -> None:
        """Remove all that `create` made, newest first; what is gone already is success.

        Raises InProgress if the rest must wait until the platform has ended something: it is called again.
        """


@runtime_checkable
class Suspends(Protocol):
    """A machine can be switched off with its memory kept on disk. Its state is SAVED then, and START goes on with it.

    Verb.KILL of a machine in that state gives the memory up.
    """

    def suspend(self) -> None:
        """Save the memory of the running machine and switch it off; it runs on if that fails. May take minutes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of a machine's disk that was kept, with `memory` if it ran; `made` is an ISO date and time, UTC."""

    tag: str
    made: str
    memory: bool


class Snapshots(Protocol):
    """The snapshots of one machine. Tags are letters, digits and `_.-`, at most 63 characters."""

    def all(self) -> Sequence[Snapshot]:
        """Return them, oldest first. DriverError if the platform cannot be asked."""

    @property
    def restored_options(self) -> Sequence[str]:
        """The names of the changeable options whose values a restored snapshot may bring back."""

    def take(self, tag: str, *, memory: bool) -> bool:
        """Make a snapshot with a tag that is free, of a machine that is running or stopped.

        Of one that runs, its memory is kept if `memory`; else the disk only, where the platform can do that. Returns
        whether the memory was kept.
        """

    def restore(self, wanted: Snapshot) -> None:
        """Bring a machine that is off to what it was. If the snapshot has its memory, START goes on with that.

        `dump` then has the values of `restored_options` that the machine has. Raises InProgress, with nothing changed,
        while something has to end first: the caller calls it again.
        """

    def remove(self, tag: str) -> None:
        """Remove a snapshot that is there."""


@runtime_checkable
class HasSnapshots(Protocol):
    """States of a machine's disk and memory can be kept beside it, and come back to."""

    def snapshots(self) -> Snapshots:
        """Return the machine's snapshots."""


@runtime_checkable
class Clones(Protocol):
    """A machine can be made of a snapshot of another one of the same driver."""

    def clone_from(self, source: Driver, tag: str, typed: Collection[str]) -> None:
        """Take over what the machine of `source` is, but for the options `typed`; `create` makes it of its snapshot.

        Called before `check`. Makes nothing. Raises UsageError for an option that a clone cannot have.
        """


@runtime_checkable
class ConsoleLog(Protocol):
    """The platform keeps what the machine printed while booting."""

    def console_log(self) -> str:
        """Return the end of it, as text; "" while there is nothing."""


@runtime_checkable
class AcceptsHostKey(Protocol):
    """The platform can give the machine its ssh host key, so that its first login is checked already."""

    def give_host_key(self, private: str, public: str) -> bool | None:
        """Take the two halves of the key; called before `create`.

        False: this machine will show one of its own making, so the first one seen is believed.
        """


@runtime_checkable
class ProvidesSshKey(Protocol):
    """The user's own ssh key may be used to log in, in the place of one that is made for the machine."""

    def key_path(self) -> str | None:
        """Return its path (it is copied into the machine's directory), or "" for the keys of the ssh-agent.

        None: this machine gets a key of its own.
        """


@runtime_checkable
class AccountAware(Protocol):
    """The platform has accounts, each of which sees its own machines only, and says which one we ask with."""

    def account_recorded(self) -> str:
        """Return the account that `create` asked with, from the record; "" if that is not known. Asks nobody."""

    def current_account(self) -> str:
        """Return the account that would be asked now; "" if the platform does not tell. One question."""


@runtime_checkable
class HasForwarder(Protocol):
    """A forwarder, a process of ours, runs beside each machine; machine.background tells when it was ended."""

    def restart_forwarder(self) -> bool:
        """Start the forwarder again if the machine runs, and return whether it does. Harmless when it still runs."""


@runtime_checkable
class EndsProcesses(Protocol):
    """Machines are processes of this computer, which the machine's directory proves to be its own without a record."""

    @classmethod
    def end_processes(cls, directory: str, run: Callable[..., Completed], clock: Clock) -> Sequence[str]:
        """End the processes proven to be those of the machine in `directory`, no other; return the name of each."""


@runtime_checkable
class GrowsDisk(Protocol):
    """The machine's root file system is to grow to the size of its disk at the first boot."""

    def disk_megabytes(self) -> tuple[int, int]:
        """Return the MB of the disk and those of its image; they are equal when there is nothing to grow."""


@runtime_checkable
class Changeable(Protocol):
    """Options of a machine that exists can be changed: those that its traits declare so."""

    def current_values(self) -> Values:
        """Return the values that these options have in the record, by the options' names. Asks nobody."""

    def change(self, values: Values) -> None:
        """Look whether the machine can have these values, and take them into `dump`; the platform is only asked.

        Raises UsageError or PreflightFailed, which names the flag, where it cannot: then none of them is taken.
        """

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        """Give the machine the recorded values of the options `names`, as far as its state allows.

        Returns the names of those that it has now, maybe from before. The machine is neither switched on nor off.
        Raises InProgress if the platform has to end something first: it is called again.
        """

    def wanted_disk(self) -> int:
        """Return the recorded size of the root disk in MB, 0 if that is the platform's choice. Asks nobody."""


@runtime_checkable
class Priced(Protocol):
    """The platform tells what a machine would cost, in lines for `create --dry-run`. DriverError if it cannot now."""

    def prices(self) -> Sequence[str]: ...


@runtime_checkable
class Diagnosable(Protocol):
    """The platform knows why a machine may be unreachable."""

    def explain(self) -> str:
        """Return one sentence for the error, "" if nothing is known. A question, which changes nothing."""


CAPABILITIES = (  # every protocol above; tests/drivers/test_contract.py holds each driver to having one whole or not
    *(Suspends, HasSnapshots, Clones, ConsoleLog, AcceptsHostKey, ProvidesSshKey, AccountAware, HasForwarder),
    *(EndsProcesses, GrowsDisk, Changeable, Priced, Diagnosable),
)
