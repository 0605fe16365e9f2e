"""A machine's config as a dataclass that reads and writes the Driver object of config.json. Pure.

    @dataclass(repr=False)
    class Config(RecordConfig):
        region: str = text("Region", flag="region", required=True)
        volume_ids: list[str] = words("VolumeIDs")

A line is a field, its kind, its key in the record (docker-machine's, where it has one), its default, and the flag
(without `--DRIVER-`) that sets it, if one does. None stands for a key that the record does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from machine.drivers.cloud.flags import Flags
from machine.errors import RecordBroken
from machine.options import Values


@dataclass(frozen=True, slots=True)
class Key:
    """Where a field stands in the record, and what may stand there."""

    name: str
    read: Callable[[Any], object]  # a value of the record -> the field's; ValueError or TypeError
    default: object
    flag: str = ""  # without `--DRIVER-`; "": no flag sets it
    required: bool = False  # the flag takes no empty value
    span: tuple[int, int] | None = None  # the least and the most that the flag takes

    def value(self, record: Mapping[str, Any]) -> object:
        """The field's value in a record; RecordBroken when the record has something else there."""
        found = record.get(self.name)
        unset = found is None or (found == "" and self.default) or (found == 0 and self.span and self.span[0] > 0)
        try:
            return self.read(self.default if unset else found)
        except (ValueError, TypeError):
            raise RecordBroken(
                f"the machine's config.json has something for {self.name} that cannot be read",
                resolution="put back what was there, or remove the machine",
            ) from None


def text(key: str, default: str = "", *, flag: str = "", required: bool = False) -> str:
    """A field of text."""
    return field(default=default, metadata={"key": Key(key, str, default, flag, required)})


def number(key: str, default: int = 0, *, flag: str = "", span: tuple[int, int] | None = None) -> int:
    """A field of a whole number. 0 in a record, as docker-machine writes it, is the default if `span` has no 0."""
    return field(default=default, metadata={"key": Key(key, int, default, flag, span=span)})


def switch(key: str, *, flag: str = "") -> bool:
    """A field that is True or False, False by default."""
    return field(default=False, metadata={"key": Key(key, bool, False, flag)})


def words(key: str, *, flag: str = "") -> list[str]:
    """A field with a list of texts, empty by default."""
    return field(default_factory=list, metadata={"key": Key(key, _words, [], flag)})


def optional_text(key: str) -> str | None:
    """A field of text, None while the record has no such key."""
    return field(default=None, metadata={"key": Key(key, _optional(str), None)})


def optional_mapping(key: str) -> dict[str, str] | None:
    """A field with texts by name, None while the record has no such key."""
    return field(default=None, metadata={"key": Key(key, _optional(_mapping), None)})


@dataclass(repr=False)  # it may have secrets
class RecordConfig:
    """The base of every cloud's Config."""

    record: dict[str, Any] = field(default_factory=dict)  # as it was read; unknown keys stay in it

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The config of a stored machine; RecordBroken on a value of another kind."""
        found = cls(record=dict(record))
        for name, key in cls.record_keys():
            setattr(found, name, key.value(record))
        return found

    @classmethod
    def from_flags(cls, flags: Flags, values: Values) -> Self:
        """The config that option values ask for; UsageError names a flag that is empty or out of its span."""
        record: dict[str, Any] = {}
        for _, key in cls.record_keys():
            if not key.flag:
                continue
            given = record[key.name] = values[f"{flags.driver}-{key.flag}"]
            if key.required and not given.strip():
                raise flags.wrong(key.flag, given, "a value, or leave the flag out")
            if key.span:
                flags.check_range(key.flag, given, key.span)
        return cls.from_record(record)

    def to_record(self) -> dict[str, Any]:
        """The Driver object: the record as it was read, with what has changed since."""
        found = dict(self.record)
        for name, key in self.record_keys():
            value = getattr(self, name)
            if value != key.value(self.record):
                found[key.name] = value
        return found

    @classmethod
    def record_keys(cls) -> Iterator[tuple[str, Key]]:
        """Every field that stands in the record, by name."""
        return ((one.name, one.metadata["key"]) for one in fields(cls) if "key" in one.metadata)


def _optional(read: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: None if value is None else read(value)


def _words(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [str(word) for word in value]


def _mapping(value: Any) -> dict[str, str]:
    return {str(name): str(one) for name, one in dict(value).items()}
