"""The one error tree. Every way to fail that a user can meet is a class here, with its exit code.

An error is advice: `brief` says what happened and to which thing, `details` what was seen (the last
answer, the end of a log), `resolution` what to type or change next. Only cli/ prints them.

    MachineError                       1
        UsageError                     2   the command line does not make sense
            MissingOptions             2   flags or credentials that a driver cannot do without (3 for credentials)
        NameInvalid                    2
        MachineNotFound                4
        MachineExists                  5
        StoreError                     1   the store as a whole: lock, permissions, no room
            RecordBroken               1   one machine's config.json cannot be read
            LockHeld                   1   another command holds the lock, and did not give it back in time
        TemplateError                  2   --format
        CommandFailed                  1   a local program ended with an error
            CommandTimeout             1   ... did not end in its time, and was ended
        WaitTimeout                    1   a deadline passed; carries the last answer
        DriverError                    1   the platform said no
            PreflightFailed            3   ... before anything was made
            ImageNotFound              4   no such image is kept here
            NotSupported               1   this driver cannot do that
            InProgress                 1   a create or removal is under way; the caller asks again
        ShellError                     1   ssh to the machine
            ConnectionDropped          1   before sshd said who it is: nothing was run there
            LoginTimeout               1   sshd answers, and the login was not through in its time
            HostKeyMismatch            1
            LoginRefused               1
                TooManyKeys            1
        ProvisionError                 1   a step on the machine failed
        EngineError                    1   the Docker Engine does not answer
            EngineTimeout              1   ... within its deadline
            EngineUntrusted            1   ... its certificate, or ours, is not accepted
            EngineRefused              1   ... it answered, and its answer is no
        SwarmModeError                 1   a cluster cannot be formed or changed
        CertificateError               1
        Interrupted                  130
"""

from __future__ import annotations

FAILED, USAGE, NOTHING_MADE, NOT_FOUND, EXISTS = 1, 2, 3, 4, 5
INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE, as a shell reports a program whose reader went away

EXIT_CODES = {  # what docs/exit-codes.md says of each
    0: "done; also when a machine was already where `start`, `stop` or `create --if-missing` brings it",
    FAILED: "an error; stderr says what happened and what to do next. Of several machines: some failed",
    USAGE: "the command line is not valid; nothing was done",
    NOTHING_MADE: "what is needed first is not there, and nothing was made: the checks of `create`, credentials,"
    " a driver's package that is not installed",
    NOT_FOUND: "there is no machine, context or (of `image rm`) image of that name",
    EXISTS: "there is a machine of that name already",
    INTERRUPTED: "interrupted with Ctrl-C (128 and the signal's number for others)",
    PIPE_CLOSED: "whoever read the output went away",
}


class MachineError(Exception):
    """Base of all errors shown to the user; see the module's docstring for the three texts."""

    exit_code = 1
    fixed_input = ""  # words for what `create` was given and --resume cannot change, if it may be wrong: "the URL"

    def __init__(self, brief: str, *, details: str = "", resolution: str = "", machine: str = "") -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution
        self.machine = machine  # name of the machine that this is about, "" if none or not known here

    def __str__(self) -> str:
        return self.brief


class UsageError(MachineError):
    """The command line does not make sense as typed."""

    exit_code = USAGE


class MissingOptions(UsageError):
    """A driver cannot do without options that were not given; the status is 3 where they are credentials."""


class NameInvalid(MachineError):
    """A machine may not be called that."""

    exit_code = USAGE


class MachineNotFound(MachineError):
    """No record under that name."""

    exit_code = NOT_FOUND


class MachineExists(MachineError):
    """The name is taken."""

    exit_code = EXISTS


class StoreError(MachineError):
    """The store cannot be read or written as a whole."""


class RecordBroken(StoreError):
    """One machine's config.json cannot be read; the other machines are unharmed."""


class LockHeld(StoreError):
    """Another command holds a lock, and did not give it back in the time that there was to wait."""


class TemplateError(MachineError):
    """A --format template does not parse or does not fit the data."""

    exit_code = USAGE


class CommandFailed(MachineError):
    """A local program could not be started or ended with an error."""


class CommandTimeout(CommandFailed):
    """A local program did not end within the time that it was given."""


class WaitTimeout(MachineError):
    """A deadline passed; `details` is the last answer that was seen."""


class DriverError(MachineError):
    """The platform refused or failed."""


class PreflightFailed(DriverError):
    """The read-only checks before a create failed; nothing was made."""

    exit_code = NOTHING_MADE


class ImageNotFound(DriverError):
    """No image of that name is kept here."""

    exit_code = NOT_FOUND


class NotSupported(DriverError):
    """The driver has no such power."""


class InProgress(DriverError):
    """The platform is still at it, and the rest of a create or a removal has to wait: the caller calls it again."""


def as_preflight_error(error: DriverError) -> PreflightFailed:
    """Return a PreflightFailed with the texts and the class name of `error`: nothing was made yet."""
    if isinstance(error, PreflightFailed):
        return error
    kind = type(error)
    found: type[PreflightFailed] = PreflightFailed
    if kind is not DriverError:
        found = type(kind.__name__, (kind, PreflightFailed), {})
    return found(error.brief, details=error.details, resolution=error.resolution)


class ShellError(MachineError):
    """The ssh connection to a machine failed."""


class ConnectionDropped(ShellError):
    """sshd took the connection and ended it before it said who it is, as one with many clients does (MaxStartups)."""


class LoginTimeout(ShellError):
    """sshd answers, and the login was not through when the time was up: no key was refused."""


class HostKeyMismatch(ShellError):
    """The machine shows another host key than the one on record."""


class LoginRefused(ShellError):
    """sshd answers and accepts none of our keys."""

    fixed_input = "the user or the key"


class TooManyKeys(LoginRefused):
    """sshd ended the connection before all keys of the ssh-agent could be tried (MaxAuthTries)."""


class ProvisionError(MachineError):
    """A step on the machine failed; `details` is the end of its output."""


class EngineError(MachineError):
    """The Docker Engine does not answer, or not in a way we understand."""


class EngineTimeout(EngineError):
    """The deadline passed without an answer."""


class EngineUntrusted(EngineError):
    """TLS to the engine failed: its certificate or ours is not accepted."""


class EngineRefused(EngineError):
    """The engine answered with an HTTP status over 299, kept in `status`; `details` are its words."""

    def __init__(self, brief: str, *, status: int, details: str = "", resolution: str = "") -> None:
        super().__init__(brief, details=details, resolution=resolution)
        self.status = status


class SwarmModeError(MachineError):
    """Engines cannot form a cluster, or a change would break theirs (Docker's swarm mode)."""


class CertificateError(MachineError):
    """A certificate or key on disk is missing, broken or does not belong to its CA."""


class Interrupted(MachineError):
    """Ctrl-C; `resolution` says how to go on or clean up."""

    exit_code = INTERRUPTED


MASK = "*****"  # what is printed and logged in place of a secret
_LONGEST_URL = 300  # characters of a URL in a message


def masked(url: str) -> str:
    """`url` as a message may show it: ***** for its user and password, its query, and its token if it has one.

    Every message of ours that names a URL that somebody gave goes through here; it is cut where it is long.
    """
    import re

    # user and password: up to the last @ before a slash, after a scheme or as user:password@host
    shown = re.sub(r"(?<=://)[^/?#\s]*@|^[^/?#\s:@]+:[^/?#\s]*@", f"{MASK}@", url, count=1)
    shown = re.sub(r"(?s)[?#].*\Z", f"?{MASK}", shown)
    scheme, found, rest = shown.partition("://")
    if found and scheme.lower() == "token":
        place, slash, token = rest.rpartition("/")
        shown = f"{scheme}://{place}{slash}{MASK if token else ''}"
    elif re.fullmatch(r"[0-9a-f]{32}", shown):
        shown = MASK
    shown = re.sub(r"(?<=/clusters/)[^/?#\s]+", MASK, shown)
    return shown if len(shown) <= _LONGEST_URL else f"{shown[:_LONGEST_URL]}..."


def reason_of(error: Exception) -> str:
    """Return why something failed, for a message that names the thing: the system's words, without its error number.

    asyncio puts a phrase and an address of its own in the place of the system's words ("Connect call failed"), and
    gathers the failures of several addresses of a name in one text without a number of its own.
    """
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    import os
    import re

    if error.errno and type(error).__module__ == "builtins":  # others, as gaierror, have numbers of their own
        return os.strerror(error.errno)
    numbers = re.findall(r"\[Errno (\d{1,4})\]", str(error)) if not error.strerror else []
    words = ", ".join(dict.fromkeys(os.strerror(int(number)) for number in numbers))
    return error.strerror or words or str(error) or type(error).__name__
