"""Ways in which a cloud says no: one class per kind, and the table that a cloud's own errors.py fills in.

A cloud declares which of its codes, HTTP statuses and sentences stand for which kind, and what to do about each kind.
The cloud's own text is in `details`; `resolution` is the advice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from machine.errors import DriverError, MachineError, PreflightFailed
from machine.own_command import is_packaged


class CloudError(DriverError):
    """A cloud refused, in a way that has no kind of its own. `code` is the cloud's; `status` is HTTP's, 0 for none."""

    code = ""
    status = 0


class BadCredentials(CloudError):
    """There are no credentials, or the cloud does not accept them."""


class NotAllowed(CloudError):
    """The account may not do that, or is locked."""


class NotFound(CloudError):
    """There is no such thing, or the URL is none of this cloud's API."""


class NoCapacity(CloudError):
    """The cloud has no such machine, host or address to give at the moment."""


class QuotaExceeded(CloudError):
    """A limit of the account, project or subscription is reached."""


class BadImage(CloudError):
    """There is no such image, or it cannot be used here."""


class BadSize(CloudError):
    """There is no such size (instance type, flavor), or it does not fit what else is asked for."""


class BadRegion(CloudError):
    """There is no such region, or it takes no new machines of this account."""


class BadKey(CloudError):
    """There is no such ssh key, or it is none that the cloud takes."""


class BadNetwork(CloudError):
    """There is no such network, subnet or address, or it cannot be used."""


class BadFirewall(CloudError):
    """There is no such firewall (security group), or it has no room."""


class BadVolume(CloudError):
    """There is no such volume, or the disk cannot be made or attached as asked."""


class BadUserData(CloudError):
    """What cloud-init shall be told cannot be sent."""


class BadRequest(CloudError):
    """The values do not fit together."""


class NameTaken(CloudError):
    """Something of that name, or that very key or rule, is there already."""


class WrongState(CloudError):
    """The machine, or what belongs to it, is in the middle of something else."""


class InUse(CloudError):
    """Something else still needs what was to be removed."""


class Protected(CloudError):
    """A lock or a protection of the user's forbids this."""


class RateLimited(CloudError):
    """There were too many calls, also after waiting and repeating."""


class Unreachable(CloudError):
    """The API cannot be reached."""


class ApiTimeout(Unreachable):
    """The API did not answer in time."""


class ServiceBroken(CloudError):
    """The API answered with an error of its own, or with nonsense."""


class MachineGone(CloudError):
    """The cloud does not know the machine any more."""


ErrorClass = type[CloudError]
_POOL = re.compile(r"HTTPS?ConnectionPool\(")
_REASON = re.compile(
    r"\[Errno -?\d+\] ([^'\")\\]+)"  # the system's own
    r"|(certificate verify failed: [^('\"\\]*[^ ('\"\\])"
    r"|((?:Read|Connection to \S+) timed out)"
    r"|(Remote end closed connection without response)"
)
AMBIGUOUS_ERRORS = (Unreachable, ServiceBroken)  # after which nobody knows whether it was done
NAMED_ERRORS = (NameTaken, *AMBIGUOUS_ERRORS)  # the same for what has a name, or is itself, like a key, there once only
MISREAD = (ValueError, TypeError, LookupError, AttributeError, RecursionError)  # where an answer has another shape
PASSING_ERRORS = (NoCapacity, QuotaExceeded, RateLimited, WrongState, *AMBIGUOUS_ERRORS)  # that may be over in a while
STATUSES: Mapping[int, ErrorClass] = {  # of HTTP, as most clouds mean them
    401: BadCredentials,
    403: NotAllowed,
    404: NotFound,
    408: ApiTimeout,
    429: RateLimited,
}
ADVICE: Mapping[ErrorClass, str] = {  # where a cloud has none of its own
    CloudError: "change what the message names; `machine create -d {driver} --help` lists the flags",
    BadRequest: "change what the message names; `machine create -d {driver} --help` lists the flags",
    NameTaken: "choose another name for the machine",
    WrongState: "try again when it has settled: machine status says where it is",
    InUse: "try again once that is gone",
}


def api_advice(driver_name: str, status_page: str) -> dict[ErrorClass, str]:
    """The advice of a driver that has the flags endpoint, api-timeout and retry-seconds."""
    endpoint = f"--{driver_name}-endpoint"
    return {
        NotFound: f"check {endpoint}, and whether somebody has removed it",
        Unreachable: f"check the network, any proxy, and {endpoint}",
        ApiTimeout: f"try again; --{driver_name}-api-timeout waits longer",
        RateLimited: f"try again later; --{driver_name}-retry-seconds waits longer",
        ServiceBroken: f"try again later ({status_page} tells of known trouble), or check {endpoint}",
    }


class ErrorTable:
    """What the answers of one cloud mean, and what to do about it."""

    def __init__(
        self,
        driver_name: str,
        *,
        advice: Mapping[ErrorClass, str],
        codes: Mapping[ErrorClass, str] | None = None,
        statuses: Mapping[int, ErrorClass] | None = None,
        sentences: Iterable[tuple[str, ErrorClass]] = (),
        longest: int = 500,
    ) -> None:
        """The table of the driver `driver_name`; `advice` is added to the one that holds for every cloud.

        `codes` are the cloud's own, with white space between; one that ends in a dot stands for all that begin with it.
        `sentences` are regular expressions, of which the first that is found decides. `longest` is how many
        characters of the cloud's text are shown.
        """
        self._advice = {**{kind: text.format(driver=driver_name) for kind, text in ADVICE.items()}, **advice}
        self._by_code = {code: kind for kind, text in (codes or {}).items() for code in text.split()}
        self._by_status = dict(statuses or {})
        self._sentences = tuple(sentences)
        self._longest = longest

    def error(self, kind: ErrorClass, brief: str, text: str = "", *, code: str = "", status: int = 0) -> CloudError:
        """An error of that kind with this cloud's advice; `text` is what the cloud said."""
        error = kind(brief, details=text.strip()[: self._longest], resolution=self._advice.get(kind, ""))
        error.code, error.status = code, status
        return error

    def refusal(
        self, kind: ErrorClass, brief: str, said: str, text: str, *, code: str = "", status: int = 0
    ) -> CloudError:
        """The error for an answer that is none of success: `said` is its code or status, `text` its sentence."""
        shown = text.strip()[: self._longest]
        error = self.error(kind, brief, code=code, status=status)
        error.details = f"{said}: {shown}" if shown else said
        return error

    def by_code(self, code: str) -> ErrorClass | None:
        """The kind that a code stands for, None for an unknown one."""
        return self._by_code.get(code) or self._by_code.get(code.partition(".")[0] + ".")

    def by_status(self, status: int) -> ErrorClass | None:
        """The kind that an HTTP status stands for, None for one that says too little."""
        return self._by_status.get(status) or (ServiceBroken if status >= 500 else None)

    def by_sentence(self, text: str) -> ErrorClass | None:
        """The kind that a sentence speaks of, None if it is not known."""
        return next((kind for words, kind in self._sentences if re.search(words, text, re.IGNORECASE)), None)

    def kind_of(
        self, *, code: str = "", status: int = 0, blamed: str = "", text: str = "", otherwise: ErrorClass = CloudError
    ) -> ErrorClass:
        """The kind of an answer by the first of these that stands for one: its code, its HTTP status, the fields that
        it blames, and its sentence, which comes last for names of the user's may be in it."""
        by_name = self.by_code(code) or self.by_status(status)
        return by_name or self.by_sentence(blamed) or self.by_sentence(f"{code} {text}".strip()) or otherwise


def usable_token(table: ErrorTable, token: str) -> str:
    """A token without the white space around it. Raises BadCredentials for what no header can carry."""
    found = token.strip()
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise table.error(BadCredentials, "there is no API token that can be used")
    return found


def refuse(brief: str, resolution: str, details: str = "") -> NoReturn:
    """Raise PreflightFailed for what a preflight found: `brief` is what is wrong, `resolution` what to do about it."""
    raise PreflightFailed(brief, details=details, resolution=resolution)


@contextmanager
def sdk_errors(convert: Callable[[Exception, str], MachineError | None], doing: str) -> Iterator[None]:
    """For calls of an SDK: what `convert` makes of an error is raised in its place; None lets it pass.

    `doing` are words for the call ("list images"), of which `convert` makes part of the message.
    """
    try:
        yield
    except MachineError:
        raise
    except Exception as error:
        converted = convert(error, doing)
        if converted is None:
            raise
        raise converted from None


@contextmanager
def reading(table: ErrorTable, cloud: str, doing: str) -> Iterator[None]:
    """For what is done with answers, to `doing`: ServiceBroken where one has another shape than the cloud's.

    The exception is its cause: a fault of ours looks like that too, and --debug shows where it is.
    """
    try:
        yield
    except MISREAD as error:
        raise nonsense(table, cloud, str(error), doing) from error


def nonsense(table: ErrorTable, cloud: str, text: str, doing: str) -> CloudError:
    """The error for an answer of another shape; `text` is what is wrong with it."""
    return table.error(ServiceBroken, f"{cloud}'s answer makes no sense (to {doing})", text)


@contextmanager
def sdk_needed(driver_name: str, package: str, table: ErrorTable) -> Iterator[None]:
    """For the import of a cloud's SDK: PreflightFailed when its package is not installed, Unreachable when it does not
    load, as when $SSL_CERT_FILE names no file."""
    try:
        yield
    except ImportError:
        resolution = f"pip install '.[{driver_name}]' in the source's directory;"
        resolution += f" with pipx: pipx inject container-hosts {package}"
        if is_packaged():
            resolution = f"in a clone of the source: pipx install '.[{driver_name}]', which brings the program with it;"
            resolution += f" or give machine.pyz a Python that has {package}: python3 -m venv DIR,"
            resolution += f" DIR/bin/pip install {package}, DIR/bin/python machine.pyz"
        raise PreflightFailed(f"the driver {driver_name} needs the package {package}", resolution=resolution) from None
    except ValueError as error:
        raise table.error(Unreachable, f"the package {package} does not load", str(error)) from None


def unanswered(table: ErrorTable, cloud: str, error: Exception, doing: str) -> CloudError | None:
    """The error for no answer, or one of another shape; for an exception of an SDK that asks by requests.

    None for an exception that is something else.
    """
    said = connection_error(str(error))
    if isinstance(error, OSError):  # also those of requests
        if "timed out" in said:
            return table.error(ApiTimeout, f"{cloud} did not answer in time (to {doing})", said)
        return table.error(Unreachable, f"{cloud} cannot be reached (to {doing})", said)
    return nonsense(table, cloud, str(error), doing) if isinstance(error, MISREAD) else None


def code_in_words(code: str) -> str:
    """A code as words: InsufficientInstanceCapacity is "insufficient instance capacity"."""
    pairs = zip(" " + code, code, strict=False)
    return "".join(f" {char.lower()}" if char.isupper() and not before.isupper() else char for before, char in pairs)


def connection_error(text: str) -> str:
    """What urllib3 says of a connection, without its objects: the URL's part of the sentence, and the reason."""
    pool = _POOL.search(text)
    reason = _REASON.search(text)
    if pool is None or reason is None:
        return text
    said = next(group for group in reason.groups() if group)
    return f"{text[: pool.start()].rstrip(': (')}: {said}".lstrip(": ")
