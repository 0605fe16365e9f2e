"""The flags that every command knows: before the command all of them, after it the long ones."""

from __future__ import annotations

from machine.booleans import one_of, parse_bool
from machine.cli.tokenize import SWITCH, VALUE, tokenize
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# flag, short form, what follows, variable, help
TABLE = (
    ("--debug", "-D", SWITCH, "MACHINE_DEBUG", "Show every step, and a traceback with an error"),
    ("--storage-path", "-s", VALUE, "MACHINE_STORAGE_PATH", "Where machines are kept (default ~/.docker/machine)"),
    ("--tls-ca-cert", "", VALUE, "MACHINE_TLS_CA_CERT", "CA certificate to use instead of the store's"),
    ("--tls-ca-key", "", VALUE, "MACHINE_TLS_CA_KEY", "Key of that CA"),
    ("--tls-client-cert", "", VALUE, "MACHINE_TLS_CLIENT_CERT", "Client certificate to use instead of the store's"),
    ("--tls-client-key", "", VALUE, "MACHINE_TLS_CLIENT_KEY", "Key of that certificate"),
    ("--native-ssh", "", SWITCH, "MACHINE_NATIVE_SSH", "Use the built-in ssh client rather than the system's"),
    ("--log-format", "", VALUE, "MACHINE_LOG_FORMAT", "How progress and errors are written: text or json"),
    ("--github-api-token", "", VALUE, "MACHINE_GITHUB_API_TOKEN", "Accepted for compatibility; not used"),
    ("--bugsnag-api-token", "", VALUE, "MACHINE_BUGSNAG_API_TOKEN", "Accepted for compatibility; not used"),
    ("--help", "-h", SWITCH, "", "Show this text"),
    ("--version", "-v", SWITCH, "", "Show the version"),
)
SHORT = {short: flag for flag, short, *_ in TABLE if short}
_FOLLOWS = {flag: follows for flag, _, follows, *_ in TABLE}
AFTER_COMMAND = {flag: follows for flag, follows in _FOLLOWS.items() if flag not in ("--help", "--version")}


class GlobalFlags:
    """The global flags' values: the command line's, else the environment's, else the default."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the environment. Raises UsageError on a switch variable that is neither true nor false."""
        self.debug = False
        self.storage_path = ""
        self.tls_ca_cert = self.tls_ca_key = self.tls_client_cert = self.tls_client_key = ""
        self.native_ssh = False
        self.log_format = "text"
        self.github_api_token = self.bugsnag_api_token = ""
        self.help = self.version = False
        self.storage_typed = False  # whether --storage-path was on the command line
        for flag, _, follows, variable, _ in TABLE:
            if variable and environ.get(variable):
                self._set(flag, environ[variable], follows, f"${variable}")

    def set(self, flag: str, value: str) -> None:
        """Take one flag from the command line, short or long."""
        flag = SHORT.get(flag, flag)
        self._set(flag, value, _FOLLOWS[flag], flag)
        if flag == "--storage-path":
            self.storage_typed = True

    def typed_store(self) -> str:
        """The store named on the command line, "" if none was."""
        return self.storage_path if self.storage_typed else ""

    def _set(self, flag: str, value: str, follows: str, source: str) -> None:
        if flag == "--log-format" and value not in ("text", "json"):
            raise UsageError(f"{source} must be text or json, not {value!r}", resolution=one_of(source, "text", "json"))
        setattr(self, flag[2:].replace("-", "_"), parse_bool(value, source) if follows == SWITCH else value)


def leading(argv: Sequence[str], flags: GlobalFlags) -> tuple[str, list[str]]:
    """Take the flags before the command into `flags`; return the command ("" if none) and the words after it."""
    for word in tokenize(argv, lambda flag: _FOLLOWS.get(SHORT.get(flag, flag), ""), _unknown):
        if not word.flag:
            return word.value, list(argv[word.position :])
        flags.set(word.flag, word.value)
    return "", []


def _unknown(flag: str) -> UsageError:
    from machine.cli.suggest import suggestion

    return UsageError(
        f"there is no flag {flag} before a command",
        resolution=suggestion(flag, [*_FOLLOWS, *SHORT], "{}, or ") + "machine --help for the list",
    )
