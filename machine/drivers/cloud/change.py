"""What `machine set` changes of a cloud's machine: values of flags that are fields of its config.

A driver takes `ChangesMachine` as a base beside `CloudDriver`, marks options as `changeable`, and has `check_change`
and `change_machine`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from machine.drivers.base import preflight_errors
from machine.drivers.cloud.config import CloudConfig, RecordField
from machine.drivers.cloud.driver import CloudDriver, Json
from machine.drivers.cloud.errors import MachineGone, WrongState
from machine.errors import InProgress, UsageError
from machine.options import Values

C = TypeVar("C", bound=CloudConfig)


class ChangesMachine(CloudDriver[C]):
    """Has the four methods of `machine.drivers.base.Changeable`."""

    def current_values(self) -> Values:
        return {option: getattr(self.config, name) for option, name, _ in self._changeable()}

    def change(self, values: Values) -> None:
        empty = {option.name: option.empty for option in self.traits.options}
        found = {
            name: field.from_flags(self.config.flags, {**empty, **values})
            for option, name, field in self._changeable()
            if option in values
        }
        for name, value in found.items():
            if value in ("", 0):
                raise UsageError(f"{self._flag_of(name)} needs a value", resolution="give one, or leave the flag out")
        with preflight_errors(), self.reading("what there is"):
            machine = self._machine()
            wanted = replace(self.config, **found)
            self.check_change(machine, wanted, list(values))
        for name, _ in self.config.record_fields():
            setattr(self.config, name, getattr(wanted, name))  # in place, as the check has spelled and looked them up

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        try:
            with self._answers_to(f"change the {self.provider.machine_noun}"):
                return [name for name in names if self.change_machine(self._machine(), name)]
        except WrongState as error:
            raise InProgress(error.brief, details=error.details, resolution=error.resolution) from None

    def wanted_disk(self) -> int:
        """The size that `disk_gigabytes` says, in MB."""
        return self.disk_gigabytes() << 10

    @abstractmethod
    def disk_gigabytes(self) -> int:
        """Return the recorded size of the root disk, 0 where the cloud chooses it."""

    @abstractmethod
    def check_change(self, machine: Json, wanted: C, names: Sequence[str]) -> None:
        """Raise a CloudError, which names the flag, if `machine` cannot have what `wanted` says of the options `names`.

        Asks only. What it sets in `wanted`, as an id that it has looked up, is taken with the rest.
        """

    @abstractmethod
    def change_machine(self, machine: Json, name: str) -> bool:
        """Give the machine the config's value of the option `name`; return whether it has it now.

        False if it has to be off for that, and runs. Raises InProgress or WrongState while something has to end.
        """

    def _changeable(self) -> Iterator[tuple[str, str, RecordField]]:
        """Yield each option's name, that of its field in the config, and the field."""
        fields = {f"{self.traits.name}-{field.flag}": (name, field) for name, field in self.config.record_fields()}
        for option in self.traits.options:
            if option.changeable:
                yield option.name, *fields[option.name]

    def _flag_of(self, field: str) -> str:
        return next(f"--{option}" for option, name, _ in self._changeable() if name == field)

    def _machine(self) -> Json:
        machine = self.find_machine()
        if machine is None or self.is_terminating(machine):
            about = self.provider
            raise MachineGone(
                f"{about.name} has no {about.machine_noun} for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        return machine
