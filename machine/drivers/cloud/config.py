"""A machine's config as a dataclass that reads and writes the Driver object of config.json. Pure but for `path_field`.

    @dataclass(repr=False)
    class Config(CloudConfig):
        region: str = text_field("Region", flag="region", required=True)
        volume_ids: list[str] = list_field("VolumeIDs")

A line is a field, its kind, its key in the record (docker-machine's, where it has one), its default, and the flag
(without `--DRIVER-`) that sets it, if one does. None stands for a key that the record does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from machine.drivers.cloud.flags import DriverFlags, absolute
from machine.drivers.cloud.ports import PortRange, needed_port_ranges
from machine.drivers.missing_options import MissingOption, check_complete
from machine.errors import RecordBroken
from machine.hostport import ENGINE_PORT
from machine.options import Values

_FIELD = "record_field"  # where a dataclass field keeps its RecordField
Parse = Callable[[DriverFlags, str, Any], object]  # (flags, flag, its value) -> what is recorded; UsageError


@dataclass(frozen=True, slots=True)
class RecordField:
    """How a field of a config stands in the record: its key there, and what its value may be."""

    name: str  # the key
    read: Callable[[Any], object]  # a value of the record -> the field's; ValueError or TypeError
    default: object
    flag: str = ""  # without `--DRIVER-`; "": no flag sets it
    alias: str = ""  # another flag that means the same
    excludes: str = ""  # another flag that cannot be given as well
    required: bool = False  # the flag takes no empty value
    bounds: tuple[int, int] | None = None  # the least and the most that the flag takes
    parse: Parse | None = None  # what is recorded of a flag's value, if that is not the value itself

    def value(self, record: Mapping[str, Any]) -> object:
        """The field's value in a record. Raises RecordBroken if the record has something else there."""
        found = record.get(self.name)
        zero_is_a_value = self.bounds is not None and self.bounds[0] <= 0
        unset = found is None or (not found and self.default and not zero_is_a_value)
        try:
            return self.read(self.default if unset else found)
        except (ValueError, TypeError):
            raise RecordBroken(
                f"the machine's config.json has something for {self.name} that cannot be read",
                resolution="put back what was there, or remove the machine",
            ) from None

    def from_flags(self, flags: DriverFlags, values: Values) -> Any:
        """What is recorded of the flag's value; UsageError names a flag that is empty or makes no sense."""
        given = values[f"{flags.driver_name}-{self.flag}"]
        if self.alias:
            other = values[f"{flags.driver_name}-{self.alias}"]
            given = flags.same(values, self.flag, self.alias) if isinstance(given, str) else given or other
        if self.excludes:
            flags.check_exclusive(values, self.flag, self.excludes)
        if self.required and not given.strip():
            raise flags.wrong(self.flag, given, "a value, or leave the flag out")
        if self.bounds:
            flags.check_range(self.flag, given, self.bounds)
        return self.parse(flags, self.flag, given) if self.parse else given


def text_field(
    key: str,
    default: str = "",
    *,
    flag: str = "",
    alias: str = "",
    excludes: str = "",
    required: bool = False,
    one_of: Sequence[str] = (),
    pattern: tuple[str, str] = ("", ""),
) -> str:
    """A field of text. A flag's value is `one_of` these words, or fits `pattern`, or is empty.

    `pattern` is a regular expression, and words for what fits it, which complete "give ...".
    """

    def parse(flags: DriverFlags, flag: str, given: str) -> str:
        if one_of:
            return flags.one_of(flag, given or default, one_of)
        expression, expected = pattern
        if expression and given and not re.fullmatch(expression, given):
            raise flags.wrong(flag, given, expected)
        return given

    return field(
        default=default, metadata={_FIELD: RecordField(key, str, default, flag, alias, excludes, required, parse=parse)}
    )


def path_field(key: str, *, flag: str = "") -> str:
    """A field with the path of a file, which a flag may give relative to where we are or with ~; "" for none."""
    made = RecordField(key, str, "", flag, parse=lambda _flags, _flag, given: absolute(given))
    return field(default="", metadata={_FIELD: made})


def number_field(
    key: str, default: int = 0, *, flag: str = "", bounds: tuple[int, int] | None = None, one_of: Sequence[int] = ()
) -> int:
    """A field of a whole number. 0 in a record, as docker-machine writes it, is the default unless `bounds` has 0."""

    def parse(flags: DriverFlags, flag: str, given: int) -> int:
        if one_of and given not in one_of:
            raise flags.wrong(flag, given, " or ".join(map(str, one_of)))
        return given

    return field(default=default, metadata={_FIELD: RecordField(key, int, default, flag, bounds=bounds, parse=parse)})


def bool_field(key: str, *, flag: str = "", alias: str = "") -> bool:
    """A field that is True or False, False by default; a flag of text makes it True when there is any."""
    made = RecordField(key, bool, False, flag, alias, parse=lambda _flags, _flag, given: bool(given))
    return field(default=False, metadata={_FIELD: made})


def list_field(key: str, *, flag: str = "", convert: Callable[[DriverFlags, str], str] | None = None) -> list[str]:
    """A field with a list of texts, empty by default; `convert` makes what is recorded of one that a flag gives.

    A flag that is no list has commas between them. Empty ones are left out.
    """

    def parse(flags: DriverFlags, _flag: str, given: str | Sequence[str]) -> list[str]:
        texts = [word.strip() for word in (given.split(",") if isinstance(given, str) else given)]
        return [convert(flags, word) if convert else word for word in texts if word]

    return field(default_factory=list, metadata={_FIELD: RecordField(key, _words, [], flag, parse=parse)})


def mapping_field(key: str, *, flag: str, pattern: tuple[str, str], own: Sequence[str] = ()) -> dict[str, str]:
    """A field with texts by name, of a flag that is a list of `key=value`; see `DriverFlags.labels`."""

    def parse(flags: DriverFlags, flag: str, given: Sequence[str]) -> dict[str, str]:
        return flags.labels(flag, given, pattern, own)

    return field(default_factory=dict, metadata={_FIELD: RecordField(key, _mapping, {}, flag, parse=parse)})


def optional_text_field(key: str) -> str | None:
    """A field of text, None while the record has no such key."""
    return field(default=None, metadata={_FIELD: RecordField(key, _optional(str), None)})


def optional_mapping_field(key: str) -> dict[str, str] | None:
    """A field with texts by name, None while the record has no such key."""
    return field(default=None, metadata={_FIELD: RecordField(key, _optional(_mapping), None)})


@dataclass(repr=False)  # it may have secrets
class RecordConfig:
    """A config that can be read from a record and from option values, and be written as a record."""

    record: dict[str, Any] = field(default_factory=dict)  # as it was read; unknown keys stay in it

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The config of a stored machine. Raises RecordBroken on a value of the wrong type."""
        found = cls(record=dict(record))
        for name, one in cls.record_fields():
            setattr(found, name, one.value(record))
        return found

    @classmethod
    def from_flags(cls, flags: DriverFlags, values: Values) -> Self:
        """The config that option values ask for; UsageError names a flag that is empty or makes no sense."""
        record: dict[str, Any] = {}
        for _, one in cls.record_fields():
            if one.flag:
                record[one.name] = one.from_flags(flags, values)
        return cls.from_record(record)

    def to_record(self) -> dict[str, Any]:
        """The Driver object: the record as it was read, with what has changed since."""
        found = dict(self.record)
        for name, one in self.record_fields():
            value = getattr(self, name)
            if value != one.value(self.record):
                found[one.name] = value
        return found

    @classmethod
    def record_fields(cls) -> Iterator[tuple[str, RecordField]]:
        """Each field that stands in the record: its name in the config, and its `RecordField`."""
        return ((one.name, one.metadata[_FIELD]) for one in fields(cls) if _FIELD in one.metadata)


class CloudConfig(RecordConfig):
    """The base of every cloud's Config, a dataclass with `flags` and the field `account`.

    The other attributes are defaults: a cloud that has something of the kind makes a field of it, which is recorded.
    """

    flags: ClassVar[DriverFlags]
    default_user: ClassVar[str] = "root"  # the login where none is known

    account: str  # the cloud account that the machine is created in
    ssh_user: str = "root"
    ssh_port: int = 22
    user_data_file: str = ""  # path, "" for none
    user_data_text: str = ""  # where there is no path
    open_ports: Sequence[str] = ()
    security_group_ids: Sequence[str] = ()  # of clouds whose machines share such groups
    allow_from: Sequence[str] = ()  # the networks that may reach the machine; empty: all
    retry_seconds: int = 1  # how long a throttled or failed call is repeated; 0: never
    wait_on_error: int = 0  # seconds in which a machine that could not be made is asked for again
    wait_on_polling: int = 0  # least seconds between two questions for the state of a machine that is on its way

    def __init_subclass__(cls) -> None:
        """Raise TypeError for a Config that lacks what has no default."""
        super().__init_subclass__()
        for name in ("flags", "account"):
            if not hasattr(cls, name):
                raise TypeError(f"{cls.__name__} has no field {name}")

    @property
    def ssh_key(self) -> str:
        """The path of the user's own private key, "" to have one made."""
        return ""

    @property
    def existing_key(self) -> bool:
        """Whether the cloud has the public half of that key already."""
        return False

    @property
    def engine_port(self) -> int:
        """The port at which the engine listens."""
        return ENGINE_PORT

    @property
    def create_requested(self) -> bool:
        """Whether the cloud may have been asked for the machine: something of it may be there."""
        raise NotImplementedError

    @property
    def looked_up(self) -> bool:
        """Whether a preflight has filled in what `create` has to know."""
        raise NotImplementedError

    @property
    def retries_enabled(self) -> bool:
        """Whether a call that got no answer may be repeated."""
        return self.retry_seconds > 0

    def needed_port_ranges(self, cluster_ports: Sequence[int]) -> list[PortRange]:
        """The ports that must be reachable: of ssh, the engine and the machine's clusters, and those of --open-port."""
        return needed_port_ranges(self.ssh_port, self.engine_port, cluster_ports, self.open_ports)

    @classmethod
    def from_values(cls, values: Values) -> Self:
        """The config that option values ask for; UsageError names the flag that makes no sense, or is missing."""
        config = cls.from_flags(cls.flags, values)
        check_complete(cls.flags.driver_name, list(config.missing_options()))
        config.validate()
        return config

    def missing_options(self) -> Iterable[MissingOption]:
        """What the driver cannot do without and was not given."""
        return ()

    def validate(self) -> None:
        """Check what flags say together, and fill in what follows from them.

        Pure. Raises UsageError if they contradict each other.
        """


def _optional(read: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: None if value is None else read(value)


def _words(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [str(word) for word in value]


def _mapping(value: Any) -> dict[str, str]:
    return {str(name): str(one) for name, one in dict(value).items()}
