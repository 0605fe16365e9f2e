"""The base of every cloud's driver: a machine that is one server of a cloud, with all that clouds have in common.

A cloud's driver says what it is (`traits`, `config_class`, `provider`) and has the methods that are abstract here.
`create` calls, in this order:

    adopt_or_discard_earlier  what an earlier try made, if `config.create_requested`
    preflight                 once more, unless `config.looked_up`
    prepare                   what the machine needs: key, firewall, volume
    make_machine              the machine
    ensure_address            what can only be had once it runs

Each of them saves an id before it is needed, and may come again after a crash.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from machine.drivers.base import Driver, DriverContext, preflight_errors
from machine.drivers.cloud import create_once, ssh_key
from machine.drivers.cloud.config import CloudConfig
from machine.drivers.cloud.errors import (
    NAMED_ERRORS,
    PASSING_ERRORS,
    BadKey,
    ErrorTable,
    InUse,
    MachineGone,
    WrongState,
    reading,
)
from machine.drivers.cloud.user_data import HostKey, UserDataLimits, for_create
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb
from machine.options import Values

Json = dict[str, Any]
C = TypeVar("C", bound=CloudConfig)
T = TypeVar("T")
APPEARING_SECONDS = 60.0  # a machine may be unknown for a moment after it was made
SWITCHED_OFF = (State.STOPPED, State.PAUSED, State.SAVED)


@dataclass(frozen=True, slots=True)
class Provider:
    """What messages say of one cloud, and what its errors and limits are."""

    name: str  # as a sentence begins or ends: DigitalOcean, the cloud
    machine_noun: str  # what a machine is there: droplet
    errors: ErrorTable
    user_data: UserDataLimits
    key_flag: str = ""  # with its dashes: names the user's own private key
    key_alternative: str = ""  # the way to do without its public half: "name the account's copy with --x-fingerprint"
    ignored: Mapping[str, str] = field(default_factory=dict)  # field of the config -> why what it says is ignored


class CloudDriver(Driver, Generic[C]):
    """A machine that is one server of a cloud. `config` is its Driver object, typed."""

    config_class: ClassVar[type[CloudConfig]]
    provider: ClassVar[Provider]
    conflicts_pass: ClassVar[bool] = False  # WrongState, in a removal InUse too, is a reason to be called again

    def __init__(self, ctx: DriverContext, config: C) -> None:
        super().__init__(ctx)
        self.config = config
        self.host_key: HostKey = ("", "")
        self.prepared = False  # this process has made what the machine needs
        self.machine_exists = False  # this process has asked for the machine, or found the one of an earlier try
        self.requested_at: float | None = None  # when this process asked for it
        self.started_at: float | None = None  # when this process asked for it to be switched on
        self.refused_at: float | None = None  # when the cloud said first that it can make no machine
        self._on_its_way: tuple[float, State] | None = None  # when it was asked last, and what it said

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, cls.config_class.from_values(values))  # type: ignore[arg-type]

    @classmethod
    def load(cls, ctx: DriverContext, data: Json) -> Self:
        return cls(ctx, cls.config_class.from_record(data))  # type: ignore[arg-type]

    def dump(self) -> Json:
        return self.config.to_record()

    def save(self) -> None:
        """Write the config to disk now."""
        self.ctx.save(self)

    # ssh keys and account

    def key_path(self) -> str | None:
        """The user's own key, "" for the agent's where the cloud has the public half, None to have one made."""
        return self.config.ssh_key or ("" if self.config.existing_key else None)

    def give_host_key(self, private: str, public: str) -> None:
        self.host_key = (private, public)

    def account_recorded(self) -> str:
        return self.config.account

    @abstractmethod
    def current_account(self) -> str:
        """The account that would be asked now; "" if the cloud does not tell. One question."""

    # check

    def check(self) -> None:
        with preflight_errors():
            for name, why in self.provider.ignored.items():
                if getattr(self.config, name):
                    self.ctx.log(why)
            self.check_files()
            self._preflight()

    def check_files(self) -> None:
        """Raises BadUserData or PreflightFailed if a file of the user's cannot be used."""
        self.user_data()
        about = self.provider
        sent = not self.config.existing_key
        ssh_key.check(self.config.ssh_key, about.key_flag, sent=sent, otherwise=about.key_alternative)

    def user_data(self) -> str:
        """All that cloud-init is told. Raises BadUserData if the user's file cannot be used."""
        config, rules, table = self.config, self.user_data_rules(), self.provider.errors
        path, own = config.user_data_file, config.user_data_text
        return for_create(path, self.host_key, self.ctx.user_data, rules, table, own=own)

    def user_data_rules(self) -> UserDataLimits:
        """What the cloud says of user data."""
        return self.provider.user_data

    def _preflight(self) -> None:
        with self.reading("what there is"):
            self.preflight()

    @abstractmethod
    def preflight(self) -> None:
        """Ask whether everything is there, and fill in the config; makes nothing. CloudError names the flag."""

    def reading(self, what: str) -> AbstractContextManager[None]:
        """For what is done with answers, to show `what`: ServiceBroken where one has another shape than the cloud's."""
        return self._answers_to(f"show {what}")

    def _answers_to(self, doing: str) -> AbstractContextManager[None]:
        """`reading`, around all that a command does; `doing` are words for it ("remove the server")."""
        return reading(self.provider.errors, self.provider.name, doing)

    # create

    def create(self) -> None:
        try:
            with self._answers_to(f"make the {self.provider.machine_noun}"):
                self._create()
        except WrongState as error:
            if not self.conflicts_pass:
                raise
            raise self.still_making(error.details) from None

    def _create(self) -> None:
        if not (self.machine_exists or self.prepared):
            self.machine_exists = self.config.create_requested and self.adopt_or_discard_earlier()
            if not self.machine_exists:
                if not self.config.looked_up:
                    self._preflight()
                self.prepare()
                self.prepared = True
        if not self.machine_exists:
            self._make_or_try_again()
        self.ensure_address()

    def _make_or_try_again(self) -> None:
        try:
            self.make_machine()
        except PASSING_ERRORS as error:
            self.refused_at = self.refused_at or self.ctx.clock.now()
            if not self.within(self.refused_at, self.config.wait_on_error):
                raise
            raise self.still_making(f"{error.brief}: {error.details}") from None

    def adopt_or_discard_earlier(self) -> bool:
        """Take over the machine that an earlier try made, if any: save its id, switch it on. Return whether."""
        with self.reading("its state"):
            machine = self.find_machine()
            if machine is None or self.is_terminating(machine):
                return False
            self.save_machine(machine)
            found = self.state_of(machine)
        if found in SWITCHED_OFF:
            self.power(Verb.START)
        return True

    @abstractmethod
    def prepare(self) -> None:
        """Record that creation begins, and make what the machine needs."""

    @abstractmethod
    def make_machine(self) -> None:
        """Ask for the machine, and save it with `save_machine`. Raises InProgress while that has to wait."""

    @abstractmethod
    def save_machine(self, machine: Json) -> None:
        """Keep the machine's id in the config, and save it; `machine_exists` is True from now on."""

    def ensure_address(self) -> None:
        """Make the address that can only be had once the machine runs. InProgress until then."""

    def own_name(self, longest: int = 200) -> str:
        """The name of a thing that is made for this machine alone."""
        return create_once.own_name(self.ctx.name[:longest], self.ctx.machine_id)

    def public_key(self) -> str:
        """The key that the machine shall let in. Raises BadKey if there is none."""
        if not self.ctx.public_key:
            raise self.provider.errors.error(BadKey, f"there is no public key to send to {self.provider.name}")
        return self.ctx.public_key.strip()

    def create_or_find(self, create: Callable[[], T], find: Callable[[], T | None]) -> T:
        """`create_once.create_or_find`, with repetitions as far as the config wants them."""
        return create_once.create_or_find(create, find, repeat=self.config.retries_enabled)

    def create_named(self, create: Callable[[], T], find: Callable[[], T | None]) -> T:
        """`create_or_find` of what the cloud takes once only: by its name, or as a key, whatever that is called.

        If it is taken, `find` tells whether it is what an earlier try made.
        """
        again = self.config.retries_enabled
        return create_once.create_or_find(create, find, ambiguous=NAMED_ERRORS, repeat=again)

    def still_making(self, details: str) -> InProgress:
        """The reason for which `create` has to be called again."""
        return InProgress(f"{self.provider.name} is still making {self.ctx.name}", details=details)

    # queries and power

    @abstractmethod
    def find_machine(self) -> Json | None:
        """The machine by its recorded id, or by its mark when the id is missing or unknown. None when there is none."""

    @abstractmethod
    def state_of(self, machine: Json) -> State:
        """The state of a machine that was found. Asks nobody."""

    def is_terminating(self, machine: Json) -> bool:  # noqa: ARG002 (most clouds have no such thing)
        """Whether the cloud is removing the machine, or has done so."""
        return False

    def state(self) -> State:
        if self._on_its_way and self.within(self._on_its_way[0], self.config.wait_on_polling):
            return self._on_its_way[1]
        with self.reading("its state"):
            machine = self.find_machine()
            found = State.MISSING if machine is None else self.state_of(machine)
        if machine is None and self.within(self.requested_at, APPEARING_SECONDS):
            found = State.STARTING
        self._on_its_way = (self.ctx.clock.now(), found) if found in (State.STARTING, State.STOPPING) else None
        return found

    def unless_starting(self, found: State) -> State:
        """STARTING instead of STOPPED, a minute at most, until a machine that this process has switched on has run."""
        if found is State.RUNNING:
            self.started_at = None  # from now on off means off
        is_late = found is State.STOPPED and self.within(self.started_at, APPEARING_SECONDS)
        return State.STARTING if is_late else found

    def appeared(self, machine: T | None) -> T | None:
        """What was found; if that is a machine, it has appeared, and is gone from now on when it is not known."""
        if machine is not None:
            self.requested_at = None
        return machine

    def within(self, moment: float | None, seconds: float) -> bool:
        """Whether a moment of this process's clock is so many seconds ago at most."""
        return moment is not None and self.ctx.clock.now() - moment < seconds

    def endpoint(self) -> Endpoint | None:
        with self.reading("its addresses"):
            machine = self.find_machine()
            return None if machine is None else self.endpoint_of(machine)

    @abstractmethod
    def endpoint_of(self, machine: Json) -> Endpoint | None:
        """How to reach a machine that was found, None while it has no address; see `endpoint_at`. A query."""

    def endpoint_at(self, address: str, peer_address: str) -> Endpoint | None:
        """How to reach the machine at an address, None for "". `peer_address` is the one for other machines."""
        if not address:
            return None
        config = self.config
        return Endpoint(
            address=address,
            ssh_user=config.ssh_user or config.default_user,
            ssh_port=config.ssh_port,
            engine_port=config.engine_port,
            peer_address=peer_address,
            listen_port=config.engine_port,
        )

    def explain(self) -> str:
        with self.reading("what is wrong with it"):
            machine = self.find_machine()
            return "" if machine is None else self.explain_machine(machine)

    def explain_machine(self, machine: Json) -> str:  # noqa: ARG002 (a cloud that tells nothing has no answer)
        """Why a machine that was found may not come up or not be reachable, as far as the cloud can tell, or ""."""
        return ""

    def power(self, verb: Verb) -> None:
        with self.reading("its state"):
            machine = self.find_machine()
            is_gone = machine is None or self.is_terminating(machine)
        about = self.provider
        if machine is None or is_gone:
            raise MachineGone(
                f"{about.name} has no {about.machine_noun} for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        self._on_its_way = self.started_at = None
        try:
            with self._answers_to(f"{verb} the {about.machine_noun}"):
                self.power_machine(machine, verb)
        except WrongState as error:  # something of the last run has to end first
            if verb is not Verb.START:
                raise
            raise InProgress(error.brief, details=error.details, resolution=error.resolution) from None

    @abstractmethod
    def power_machine(self, machine: Json, verb: Verb) -> None:
        """Switch a machine that was found, as Driver.power says."""

    def switch(self, verb: Verb, act: Callable[[str], object], actions: Mapping[Verb, str], *, on: bool) -> None:
        """Switch a machine that is `on` or off by the cloud's own words for each verb; one that is there needs none."""
        if not on and verb in (Verb.START, Verb.RESTART):
            act(actions[Verb.START])
            self.started_at = self.ctx.clock.now()
        elif on and verb is not Verb.START:
            act(actions[verb])

    # removal

    def remove(self) -> None:
        self.machine_exists = self.prepared = False
        try:
            with self._answers_to(f"remove the {self.provider.machine_noun}"):
                self.remove_all()
        except (InUse, WrongState) as error:
            if not self.conflicts_pass:
                raise
            raise self.still_ending(error.details or error.brief) from None

    @abstractmethod
    def remove_all(self) -> None:
        """Remove the machine and all that was made with it, as Driver.remove says."""

    def still_ending(self, details: str, rest: str = "the rest", what: str = "") -> InProgress:
        """The reason for which `remove` has to be called again: `what` (the machine) is still ending, before `rest`."""
        what = f"the {what or self.provider.machine_noun} of {self.ctx.name}"
        return InProgress(
            f"{self.provider.name} is still ending {what}",
            details=details,
            resolution=f"machine rm {self.ctx.name} again removes {rest}",
        )
