"""The rows of `ls`: read from the records, filtered, and as the fields of templates and --json."""

from __future__ import annotations

import re

from machine.cli.connect import at_work, swarm_url
from machine.cli.docker_target import docker_host, url_behind_socket
from machine.errors import MachineError, UsageError
from machine.forwarded_ports import LOCALHOST, marks, names, of_machine
from machine.template.values import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from machine.store import Record, Store

HEADERS = {
    "Name": "NAME",
    "Active": "ACTIVE",
    "ActiveHost": "ACTIVE_HOST",
    "ActiveSwarm": "ACTIVE_SWARM",
    "DriverName": "DRIVER",
    "State": "STATE",
    "URL": "URL",
    "SwarmOptions": "SWARM_OPTIONS",
    "Swarm": "SWARM",
    "EngineOptions": "ENGINE_OPTIONS",
    "Error": "ERRORS",
    "DockerVersion": "DOCKER",
    "ResponseTime": "RESPONSE",
    "IP": "IP",
    "Phase": "PHASE",
    "Ports": "PORTS",
    "Created": "CREATED",
}
STATES = ("running", "paused", "saved", "stopped", "stopping", "starting", "error", "timeout", "missing")
KEYS = ("swarm", "driver", "state", "name", "label")


class Row:
    """One machine in the list: its record (None if broken), and what its engine and driver have answered."""

    __slots__ = ("error", "name", "record", "response_seconds", "state", "version")

    def __init__(self, name: str, record: Record | None, error: str) -> None:
        self.name = name
        self.record = record
        self.error = error  # one line, "" if all is well
        self.state = "" if record else "Error"
        self.version = "" if record else "Unknown"  # "v1.2.3" once known
        self.response_seconds = 0.0  # until the engine answered

    def options(self, key: str) -> dict[str, Any]:
        """Return HostOptions.SwarmOptions or .EngineOptions of the record; empty if it is broken."""
        found: dict[str, Any] = self.record.raw["HostOptions"][key] if self.record else {}
        return found


def read_rows(store: Store, names: Iterable[str]) -> list[Row]:
    """Return a row for every name; one whose record cannot be read has the error."""
    rows = []
    for name in names:
        try:
            rows.append(Row(name, store.load(name), ""))
        except MachineError as error:
            rows.append(Row(name, None, one_line(error)))
    return rows


def one_line(error: MachineError) -> str:
    """Return an error as one line, for a cell of the table."""
    return " ".join(error.brief.split())


class Filters:
    """--filter: values of one key are alternatives, different keys must all fit."""

    def __init__(self, filters: Sequence[str]) -> None:
        """Parse the filters.

        Raises UsageError for anything but KEY=VALUE with a known key and a valid regular expression.
        """
        self.values: dict[str, list[str]] = {}
        for text in filters:
            key, equals, value = text.partition("=")
            key = key.strip().lower()
            if not equals or key not in KEYS:
                raise UsageError(
                    f"the filter {text!r} is not understood", resolution=f"--filter KEY=VALUE; keys: {' '.join(KEYS)}"
                )
            self.values.setdefault(key, []).append(value)
        self.names = [_expression(value) for value in self.values.get("name", [])]
        self.filters_state = "state" in self.values

    def unknown_state_warning(self) -> str:
        """Return a warning of a state that no machine is ever in, so that nothing passes; "" if there is none."""
        for value in self.values.get("state", ()):
            if value and value.lower() not in STATES:
                return f"no machine is ever in the state {value!r}; states: {' '.join(STATES)}"
        return ""

    def fit_record(self, row: Row, rows: Sequence[Row]) -> bool:
        """Return whether a row passes all filters but state's; `rows` are all there are, for the masters of swarms."""
        return (
            self._any_value_fits("driver", lambda value: row.record is not None and row.record.driver_name == value)
            and self._any_value_fits("swarm", lambda value: master_name(row, rows) == value)
            and self._any_value_fits("label", lambda value: _has_label(row, value))
            and (not self.names or any(expression.search(row.name) for expression in self.names))
        )

    def _any_value_fits(self, key: str, one: Callable[[str], bool]) -> bool:
        return key not in self.values or any(one(value) for value in self.values[key])

    def fit_state(self, row: Row) -> bool:
        """Return whether a row passes the filter of states, upper and lower case alike."""
        states = self.values.get("state")
        return states is None or row.state.lower() in [value.lower() for value in states]


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--filter name={text!r} is not a regular expression: {error}") from None


def _has_label(row: Row, value: str) -> bool:
    labels = [str(label) for label in row.options("EngineOptions").get("Labels") or []]
    if row.record is not None:
        labels.append(f"provider={row.record.driver_name}")  # every engine gets it, and no record has it
    return value.lower() in [label.lower() for label in labels]


def master_name(row: Row, rows: Sequence[Row]) -> str:
    """Return the master of the machine's swarm, which has the same discovery; "" if there is none among `rows`."""
    own = row.options("SwarmOptions")
    discovery = own.get("Discovery") if own.get("IsSwarm") or own.get("Master") else ""
    if not discovery:
        return ""
    for other in rows:
        options = other.options("SwarmOptions")
        if options.get("Master") and options.get("Discovery") == discovery:
            return other.name
    return ""


def _swarm_mode_cluster(row: Row) -> str:
    """Return "CLUSTER (ROLE)" for a machine in swarm mode, as its record has it; "" if it is in no cluster."""
    membership = (row.record.raw.get("Machine") or {}).get("SwarmMode") if row.record else None
    return (
        f"{membership.get('Cluster')} ({membership.get('Role')})" if isinstance(membership, dict) and membership else ""
    )


def fields(rows: Sequence[Row], environ: Mapping[str, str], store: str = "") -> list[Struct]:
    """Return the fields of each row, for templates, the table and --json; the keys are those of HEADERS.

    `store` is the one that was named on the command line, "" if none was.
    """
    current = url_behind_socket(docker_host(environ), (row.record for row in rows if row.record), environ)
    return [_fields(row, rows, current, store) for row in rows]


def forwarded(row: Row) -> tuple[str, str]:
    """Return which ports of a running machine are on localhost, and what to say of those that are not."""
    if row.record is None or row.state != "Running":
        return "", ""
    opened, refused = of_machine(row.record.cert_dir())
    return f"{LOCALHOST}: {names(opened)}" if opened else "", marks(refused)


def error_of(row: Row, store: str = "") -> str:
    """Return the row's error, before a hint at an incomplete creation; "" if all is well.

    What to type is at the end, with the `store` that was named on the command line. While another process is still
    creating the machine, that is all there is to say.
    """
    if row.record is None or row.record.reached("ready"):
        return row.error
    if busy := at_work(row.record):
        return f"{busy} (it got as far as '{row.record.phase}')"
    from machine.cli.report import in_store

    return "; ".join(text for text in (row.error, in_store(incomplete_note(row.record), store)) if text)


def incomplete_note(record: Record) -> str:
    """Return that a machine is incomplete, its phase, and what to type."""
    return f"incomplete: create got as far as '{record.phase}', machine create --resume {record.name}"


def power_resolution(record: Record, state: str) -> str:
    """Return the command for a machine that should run and is in `state`."""
    if state == "Missing":
        if record.imported():
            return f"switch it on where it was made; machine rm {record.name} only forgets it here"
        if record.reached("ready"):
            return f"machine rm {record.name} forgets it; machine create makes it again"
        return f"machine create --resume {record.name} continues its creation; machine rm {record.name} removes it"
    return f"machine {'start' if state in ('Stopped', 'Saved', 'Paused') else 'status'} {record.name}"


def _fields(row: Row, rows: Sequence[Row], current: str, store: str) -> Struct:
    swarm = row.options("SwarmOptions")
    master = master_name(row, rows)
    running = row.state == "Running"
    url = row.record.url() if row.record and running else ""
    active_host = bool(url) and url == current
    active_swarm = (
        row.record is not None and bool(url and swarm.get("Master")) and swarm_url(row.record, url) == current
    )
    active = "* (swarm)" if active_swarm else "-"
    if active_host:
        active = "*"
    ports, missing_ports = forwarded(row)
    return Struct(
        Name=row.name,
        Active=active,
        ActiveHost=active_host,
        ActiveSwarm=active_swarm,
        DriverName=row.record.driver_name if row.record else "not found",
        State=row.state,
        URL=url,
        SwarmOptions=Struct(swarm) if swarm else None,
        Swarm=f"{row.name} (master)" if swarm.get("Master") else master or _swarm_mode_cluster(row),
        EngineOptions=Struct(row.options("EngineOptions")) if row.record else None,
        Error="; ".join(filter(None, (error_of(row, store), missing_ports))),
        DockerVersion=row.version,
        ResponseTime=f"{row.response_seconds * 1000:.0f}ms",
        IP=row.record.address() if row.record else "",
        Phase=row.record.phase if row.record else "",
        Ports=ports,
        Created=row.record.created if row.record else "",
    )
