"""A driver that is a plugin of docker-machine: every question and every act is a call to its program."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self, overload

from machine.drivers.base import Driver, DriverContext, Traits
from machine.drivers.plugin import document, flags, gob, rpc, session
from machine.drivers.plugin.address import endpoint_of
from machine.drivers.plugin.document import NOTES
from machine.drivers.plugin.session import Session
from machine.errors import DriverError, Interrupted, PreflightFailed, StoreError, UsageError
from machine.hostport import MANAGER_PORT
from machine.model import Endpoint, State, Verb
from machine.options import Option, Values

POLL_SECONDS = 1.0  # between two looks at what a plugin knows while it creates
FINISH_TIME = 60.0  # seconds for a plugin to come to an end with Create after Ctrl-C
STATES = (  # libmachine/state, by number; the last one is rancher's
    *(State.NONE, State.RUNNING, State.PAUSED, State.SAVED, State.STOPPED),
    *(State.STOPPING, State.STARTING, State.ERROR, State.TIMEOUT, State.MISSING),
)
STATE_AFTER = {Verb.START: State.RUNNING, Verb.STOP: State.STOPPED, Verb.KILL: State.STOPPED}


class PluginOptions(Sequence[Option]):
    """The options of the plugin at `path`, asked of the program when somebody looks at them, once."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    @cached_property
    def _options(self) -> tuple[Option, ...]:
        with contextlib.closing(Session(self.path, self.name)) as plugin:
            plugin.ask("SetConfigRaw", gob.BYTES, b'{"MachineName":"","StorePath":""}')
            return flags.options(plugin.ask("GetCreateFlags"))

    @overload
    def __getitem__(self, index: int) -> Option: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Option]: ...
    def __getitem__(self, index: int | slice) -> Option | Sequence[Option]:
        return self._options[index]

    def __len__(self) -> int:
        return len(self._options)


class PluginDriver(Driver):
    """The base of a class per plugin; `driver_class` makes them."""

    path: ClassVar[str] = ""  # of the program

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        """`data` is the plugin's JSON with its secrets, and the notes."""
        super().__init__(ctx)
        self.data = data
        self._session: Session | None = None
        self._trouble = ""
        self._unsaved = False  # whether the plugin said something that is not on record

    @classmethod
    def secret_options(cls, data: dict[str, Any]) -> tuple[Option, ...]:
        return document.secret_options(data)

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        """Have the plugin read the flags, which is a call to a program on this computer.

        Raises UsageError with its words.
        """
        driver = cls(ctx, {"MachineName": ctx.name, "StorePath": ctx.store})
        driver._send_flags(driver._open(), values)
        driver._refresh_config()
        driver.data = document.new_document(driver.data, values, cls.traits.options)
        return driver

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, document.from_record(data))

    def dump(self) -> dict[str, Any]:
        return document.to_record(self.data)

    def key_path(self) -> str:
        """Plugins make their keys themselves; which one it is they say afterwards."""
        return ""

    def explain(self) -> str:
        return self._trouble

    def check(self) -> None:
        try:
            self._call_and_wait("PreCreateCheck")
        except rpc.PluginRefused as error:
            raise PreflightFailed(
                f"the plugin of driver {self.traits.name} refuses: {_first_line(error)}",
                details=_other_lines(error),
                resolution=f"machine create -d {self.traits.name} --help explains its flags",
            ) from None
        self._refresh_config()  # some make up a password there

    def create(self) -> None:
        """One Create, never two: what an earlier one has left is gone on with, or removed first."""
        stage = document.stage(self.data)
        if stage == "done" or (stage == "begun" and self._take_over()):
            return
        if stage == "begun" or not self._open().configured:  # another process told the plugin what to make, if any did
            values = self._start_over()
            self._send_flags(self._open(), values)
            self.check()
        plugin = self._open()
        self._set_stage("begun")
        self._create(plugin)
        try:
            self._finish()
        except StoreError as error:
            lost = f"the plugin has made {self.ctx.name}, and what it is called on the platform may not be on record"
            error.details = f"{error.details}\n{lost}".strip()
            raise

    def _create(self, plugin: Session) -> None:
        """Wait for Create, and write down what the plugin knows while it goes on."""
        with plugin.working():
            call = plugin.start("Create")
            try:
                while not call.wait(POLL_SECONDS):
                    self.ctx.clock.sleep(0.0)
                    with contextlib.suppress(DriverError, StoreError):  # whatever is wrong, Create goes on
                        self._save_if_changed()
            except (Interrupted, KeyboardInterrupt):
                self.ctx.log(
                    f"letting the plugin come to an end, {FINISH_TIME:g} s at most; Ctrl-C again stops at once"
                )
                if call.wait(FINISH_TIME):
                    with contextlib.suppress(DriverError, StoreError):
                        plugin.result(call)
                        self._finish()
                raise
            finally:
                with contextlib.suppress(DriverError, StoreError):
                    self._save_if_changed()
        try:
            plugin.result(call)
        except rpc.PluginRefused as error:
            raise DriverError(
                f"the plugin of driver {self.traits.name} could not create {self.ctx.name}: {_first_line(error)}",
                details=_other_lines(error),
            ) from None

    def _finish(self) -> None:
        path = self._query("GetSSHKeyPath")
        if not isinstance(path, str) or not path.isprintable():
            raise DriverError(f"the plugin of driver {self.traits.name} gives no path for GetSSHKeyPath: {path!r:.200}")
        self._refresh_config()
        if path:
            self.data["SSHKeyPath"] = path
        self._set_stage("done")

    def _take_over(self) -> bool:
        """Whether an earlier Create that was cut short got as far as an address of its machine; it is switched on."""
        try:
            state = self.state()
            if state in (State.STOPPED, State.SAVED, State.PAUSED):
                self._call_and_wait("Start")
            found = state not in (State.NONE, State.MISSING, State.ERROR, State.TIMEOUT) and self.endpoint()
        except DriverError as error:  # some plugins crash when they are asked about a host that they have not made
            self.ctx.log(f"the earlier try left nothing to go on with ({error.brief})")
            return False
        if not found:
            return False  # many a plugin learns the address at the very end of Create, and never again
        self._finish()
        return True

    def _start_over(self) -> Values:
        """Have the plugin remove what it knows of an earlier Create and forget that; what create was told."""
        if document.stage(self.data) == "begun":
            self.ctx.log("removing what the earlier try has left")
            self.remove()
        if self._session is not None:
            session.drop(self._session)
        self._session = None
        values = document.create_args(self.data, self.traits.options)
        self.data = document.reset(self.data, self.ctx.name, self.ctx.store)
        return values

    def state(self) -> State:
        if document.stage(self.data) == "":
            return State.MISSING
        number = self._query("GetState")
        return STATES[number] if type(number) is int and number in range(len(STATES)) else State.ERROR

    def endpoint(self) -> Endpoint | None:
        try:
            found = endpoint_of(self._open().ask)
        except rpc.PluginRefused as error:
            self._trouble = f"the plugin says: {error.brief}"
            return None
        self._trouble = "" if found else "the plugin knows no address yet"
        return found

    def power(self, verb: Verb) -> None:
        if verb in STATE_AFTER and self.state() is STATE_AFTER[verb]:
            return
        try:
            self._call_and_wait(verb.value.capitalize())
        except rpc.PluginRefused as error:
            raise self._failed(f"{verb} {self.ctx.name}", error) from None
        self._save_if_changed()

    def remove(self) -> None:
        """Call the plugin's Remove; do nothing when Create was never called."""
        if document.stage(self.data) == "":
            return
        try:
            self._call_and_wait("Remove")
        except DriverError as error:
            failed = self._failed(f"remove {self.ctx.name}", error) if isinstance(error, rpc.PluginRefused) else error
            failed.resolution = (
                f"mend that and repeat it; if nothing of {self.ctx.name} is left there: machine rm -f {self.ctx.name}"
            )
            raise failed from None
        if NOTES in self.data:
            with contextlib.suppress(StoreError):  # the disk is full: the record goes next, which makes room
                self._set_stage("")

    def _set_stage(self, stage: str) -> None:
        """Note how far Create has come, and save it: "", "begun" or "done"."""
        self.data[NOTES]["Create"] = stage
        self.ctx.save(self)

    def _open(self) -> Session:
        """The plugin for this machine, which has read its JSON."""
        if self._session is None or not self._session.alive:
            self._session = session.session_for(self.path, self.traits.name, self.ctx.directory, self.ctx.log)
            self._session.ask("SetConfigRaw", gob.BYTES, json.dumps(document.plugin_config(self.data)).encode())
        return self._session

    def _send_flags(self, plugin: Session, values: Values) -> None:
        """Call SetConfigFromFlags with the values of the flags. Raises UsageError with the plugin's words."""
        swarm = {
            "swarm-master": ("bool", bool(self.data.get("SwarmMaster") or MANAGER_PORT in self.ctx.cluster_ports)),
            "swarm-host": ("string", str(self.data.get("SwarmHost") or "")),
            "swarm-discovery": ("string", str(self.data.get("SwarmDiscovery") or "")),
        }
        try:
            plugin.ask(
                "SetConfigFromFlags", gob.INTERFACE, flags.rpc_flags(self.traits.options, values, swarm, plugin.service)
            )
        except rpc.PluginRefused as error:
            raise UsageError(
                f"the plugin of driver {self.traits.name} does not take these flags: {_first_line(error)}",
                details=_other_lines(error),
                resolution=f"machine create -d {self.traits.name} --help explains them",
            ) from None
        plugin.configured = True

    def _query(self, method: str) -> Any:
        """The answer to a call of `method`. Raises DriverError with the plugin's words."""
        try:
            return self._open().ask(method)
        except rpc.PluginRefused as error:
            raise self._failed(f"answer {method}", error) from None

    def _call_and_wait(self, method: str) -> None:
        """Call `method` and wait for its end without a deadline. Raises PluginRefused with the plugin's words."""
        plugin = self._open()
        call = plugin.start(method)
        while not call.wait(POLL_SECONDS):
            self.ctx.clock.sleep(0.0)
        plugin.result(call)

    def _refresh_config(self) -> bool:
        """Read the plugin's JSON again; return whether it has changed."""
        raw = self._query("GetConfigRaw")
        try:
            found = json.loads(raw)
        except (ValueError, TypeError, RecursionError):
            found = None
        if not isinstance(found, dict) or document.is_too_deep(found):
            raise DriverError(f"the plugin of driver {self.traits.name} gives no JSON object for its machine")
        if not found.get("SSHKeyPath"):  # it says so by GetSSHKeyPath only
            found.pop("SSHKeyPath", None)
        before = json.dumps(self.data)
        self.data |= document.plugin_config(found)  # the notes are ours alone
        document.note_secrets(self.data)
        return json.dumps(self.data) != before

    def _save_if_changed(self) -> None:
        """Read the plugin's JSON again, and save it if it is not what the record has."""
        self._unsaved = self._refresh_config() or self._unsaved
        if self._unsaved:
            self.ctx.save(self)
            self._unsaved = False

    def _failed(self, act: str, error: rpc.PluginRefused) -> DriverError:
        return DriverError(
            f"the plugin of driver {self.traits.name} could not {act}: {_first_line(error)}",
            details=_other_lines(error),
            resolution=f"those are the words of {self.path}; its flags: machine create -d {self.traits.name} --help",
        )


def driver_class(name: str, path: str) -> type[PluginDriver]:
    """The driver class of the plugin at `path`; the program is not started yet."""
    key = (name, path)
    if key not in _CLASSES:
        traits = Traits(
            name=name,
            options=PluginOptions(path, name),
            summary="what a plugin of docker-machine makes",
            needs="what its flags say",
            can_power=True,
        )
        _CLASSES[key] = type("PluginDriver", (PluginDriver,), {"traits": traits, "path": path, "__module__": __name__})
    return _CLASSES[key]


_CLASSES: dict[tuple[str, str], type[PluginDriver]] = {}


def _first_line(error: rpc.PluginRefused) -> str:
    return error.brief.partition("\n")[0]


def _other_lines(error: rpc.PluginRefused) -> str:
    """The lines after the first, at most eleven: a plugin that panics adds a whole stack trace."""
    return "\n".join(error.brief.splitlines()[1:12])
