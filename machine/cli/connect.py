"""How the docker client reaches a machine: URL and certificates from the record, and a check that it answers."""

from __future__ import annotations

import os

from machine import hostport, paths
from machine.errors import CertificateError, EngineError, EngineTimeout, EngineUntrusted, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.engine import EngineClient
    from machine.store import Record

ENGINE_SECONDS = 3.5  # for one engine that the user asked for; ls has --timeout
STATE_SECONDS = 1.0  # for its platform to say more; together with the start of the program less than 5


def url_of(record: Record, *, swarm: bool = False) -> str:
    """Return DOCKER_HOST for a machine, or for the swarm it is master of.

    Raises MachineError while there is no address.
    """
    url = record.url()
    if not url:
        raise no_address_error(record)
    return swarm_url(record, url) if swarm else url


def no_address_error(record: Record) -> MachineError:
    """Return the error for a machine whose address is not known (yet)."""
    error = MachineError(
        f"the address of {record.name} is not known",
        details=f"create got as far as '{record.phase}'",
        resolution=f"machine start {record.name}, or machine create --resume {record.name} if it was never ready",
        machine=record.name,
    )
    return in_progress_error(record, error) or error


def at_work(record: Record) -> str:
    """Return who is at work on a machine that is incomplete, "" if it is ready or nobody is.

    Only for an incomplete machine its lock is looked at: what costs a file or two is not asked for the others.
    """
    if record.reached("ready"):
        return ""
    from machine import lock

    pid, purpose = lock.holder_and_purpose(paths.lock(record.root, f"machine-{record.name}"))
    if not pid:
        return ""
    if purpose in (f"create {record.name}", f"resume {record.name}"):
        return f"process {pid} is still creating {record.name}"
    return f"process {pid} holds it to {purpose}"


def in_progress_error(record: Record, error: MachineError) -> MachineError | None:
    """Return what to tell in place of `error`, a consequence of another process being at work; None if none is."""
    brief = at_work(record)
    if not brief:
        return None
    return MachineError(
        brief,
        details=error.brief,
        resolution="wait until that command has ended; machine ls shows what came of it",
        machine=record.name,
    )


def swarm_url(record: Record, url: str) -> str:
    """Return `url` with the port of the swarm's manager. Raises UsageError if the machine is not a master."""
    options = record.raw["HostOptions"]["SwarmOptions"]
    if not options["Master"]:
        raise UsageError(
            f"{record.name} is not the master of a classic swarm", resolution=f"leave --swarm out: {record.name}"
        )
    port = record.manager_port()
    return f"tcp://{hostport.join(hostport.of_url(url)[0], port)}"


def certificates(record: Record) -> tuple[str, str, str] | None:
    """Return the paths of ca.pem, cert.pem and key.pem; None for an engine without TLS (driver none only).

    Raises CertificateError if one is missing.
    """
    directory = record.cert_dir()
    files = tuple(os.path.join(directory, name) for name in (paths.CA, paths.CERT, paths.KEY))
    missing = [path for path in files if not os.path.exists(path)]
    if not missing:
        return files[0], files[1], files[2]
    if record.is_only_url() and len(missing) == len(files):
        return None
    error = CertificateError(
        f"the file {os.path.basename(missing[0])} of {record.name} is missing",
        details=f"{missing[0]} is missing",
        resolution=_missing_keys_resolution(record),
    )
    raise in_progress_error(record, error) or error


def _missing_keys_resolution(record: Record) -> str:
    """Return what to do about certificates that are missing."""
    name = record.name
    if record.imported():
        return (
            f"it was imported without its keys: have its owner type machine export --with-keys {name}, then here"
            f" machine import --name {name}-2 FILE"
        )
    if record.reached("ready"):
        return f"machine regenerate-certs {name}"
    return f"machine create --resume {name} continues its creation"


def engine_of(record: Record, url: str = "", *, seconds: float = 0.0) -> EngineClient:
    """Return a client of a machine's engine; `url` if it is another one than the record's (a swarm's).

    `seconds` is the time for each call, 0 for ENGINE_SECONDS.
    """
    from machine.engine import EngineClient, Tls

    url = url or url_of(record)
    host, port = hostport.of_url(url)
    if not host:
        raise UsageError(
            f"the engine of {record.name} is at {url}, which is not an address on a network",
            resolution=f"correct its address in {paths.CONFIG} of {record.cert_dir()}, or make it again",
        )
    files = certificates(record)
    tls = Tls(*files) if files else None
    return EngineClient(host, port or hostport.ENGINE_PORT, tls, timeout=seconds or ENGINE_SECONDS, name=record.name)


def check_engine(app: App, record: Record, url: str, *, is_manager: bool = False) -> None:
    """Check that the engine at `url` answers and accepts our certificate, over TLS where there are certificates.

    Raises EngineUntrusted or CertificateError if the certificates do not fit. Raises EngineError, which says so if the
    platform knows that the machine is off, or if it is its swarm's manager that was asked (`is_manager`). Raises
    MachineError while another process is still creating the machine. Takes 5 seconds at most.
    """
    try:
        engine_of(record, url).ping()
    except EngineUntrusted as error:
        raise (in_progress_error(record, error) or error) from None
    except EngineError as error:
        if in_progress := in_progress_error(record, error):
            raise in_progress from None
        explained = silent_engine_error(app, record, error)
        raise (
            _manager_error(record, url, error) if is_manager and not isinstance(explained, _MachineOff) else explained
        ) from None


def _manager_error(record: Record, url: str, error: EngineError) -> EngineError:
    name = record.name
    return EngineError(
        f"the swarm's manager on {name} does not answer at {url}",
        details=error.brief,
        resolution=f"machine provision {name};"
        f" its log: machine ssh {name} sudo journalctl -u machine-swarm-manager -n 50",
    )


class _MachineOff(EngineError):
    """There is no engine because the machine does not run."""


def silent_engine_error(app: App, record: Record, error: EngineError) -> EngineError:
    """Return the error for an engine that does not answer: with its machine's state if that is known in STATE_SECONDS.

    Otherwise `error` itself.
    """
    import threading

    errors: list[EngineError] = []
    thread = threading.Thread(target=lambda: errors.append(_error_with_state(app, record, error)), daemon=True)
    thread.start()
    thread.join(STATE_SECONDS)
    return errors[0] if errors else error


def _error_with_state(app: App, record: Record, error: EngineError) -> EngineError:
    from machine.lifecycle.driver_record import open_driver
    from machine.model import State

    try:
        driver = open_driver(app.open_session(), record)
        state = driver.state()
    except Exception:  # a driver of others, a record that somebody edited: the engine's own error is the better one
        return error
    has_power = driver.traits.can_power
    if state in (State.RUNNING, State.TIMEOUT, State.NONE):
        if isinstance(error, EngineTimeout) and (has_power or driver.traits.restart_over_ssh):
            error.resolution = (
                f"run this again, for it may only be busy; machine status {record.name} shows its state;"
                f" last, machine restart {record.name} (its containers restart too)"
            )
            error.details += "\nits platform says that the machine runs" if state is State.RUNNING else ""
        return error
    return _MachineOff(
        f"{record.name} is {state}",
        details=error.brief,
        resolution=f"machine start {record.name}"
        if has_power and state is not State.MISSING
        else f"check that host; machine status {record.name}",
    )
