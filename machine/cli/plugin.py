"""`machine plugin install|uninstall`: `docker machine ...` works by a plugin of the docker client.

The client looks for programs called docker-NAME in a few directories, asks each for its metadata (the one argument
`docker-cli-plugin-metadata`, one JSON object back) and then runs it with its own arguments, NAME among them
(https://github.com/docker/cli/issues/1534).
"""

from __future__ import annotations

import os
import sys

from machine import files
from machine.errors import StoreError, UsageError
from machine.own_command import own_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Make `docker machine ls` and the other commands work under the docker client, or undo that.

  machine plugin install      write the plugin to ~/.docker/cli-plugins
  machine plugin uninstall    remove it"""

_MARK = "written by machine plugin install"
_DOCKER_FLAGS_WITH_VALUE = (
    *("-c", "--context", "-H", "--host", "-l", "--log-level"),
    *("--config", "--tlscacert", "--tlscert", "--tlskey"),
)


def add_arguments(parser: Parser) -> None:
    """Add the verb."""
    verbs = ("install", "uninstall")
    parser.add_argument("verb", choices=verbs, metavar="|".join(verbs), help="What to do")


def run(args: Namespace, app: App) -> int:
    """Print the plugin's path. Raises StoreError if the place is taken or cannot be written."""
    path = plugin_path(app.environ)
    if args.verb == "install":
        install(path)
        app.print_text(path)
        app.console.info("`docker machine ls` works now")
    elif uninstall(path):
        app.print_text(path)
        app.console.info("removed")
    else:
        app.console.info(f"there is no plugin at {path}")
    return 0


def metadata() -> str:
    """The answer to `docker-cli-plugin-metadata`."""
    import json

    from machine import __version__

    fields = {
        "SchemaVersion": "0.1.0",
        "Vendor": "machine",
        "Version": f"v{__version__}",
        "ShortDescription": "Docker hosts anywhere, and many of them as one cluster",
    }
    return json.dumps(fields)


def without_docker_flags(argv: Sequence[str]) -> list[str]:
    """Return the arguments after `machine` when the docker client ran us: its own flags come first."""
    index = 0
    while index < len(argv) and argv[index].startswith("-"):
        index += 2 if argv[index] in _DOCKER_FLAGS_WITH_VALUE else 1
    return list(argv[index + 1 :]) if argv[index : index + 1] == ["machine"] else list(argv)


def plugin_path(environ: Mapping[str, str]) -> str:
    """Return the path at which the docker client finds our plugin in the user's directory."""
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
    config = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    return os.path.join(config, "cli-plugins", "docker-machine")


def install(path: str) -> None:
    """Write the plugin: a two-line script that starts this very program. Ours is replaced, a foreign one refused."""
    if os.name == "nt":  # the client takes only programs named *.exe there
        raise UsageError(
            "on Windows the plugin is installed by hand",
            resolution=f"copy docker-machine.exe from beside {sys.executable} to {os.path.dirname(path)}",
        )
    if os.path.lexists(path) and not _was_written_by_us(path):
        raise StoreError(
            f"{path} exists and was not written by machine", resolution=f"rm {path}, then machine plugin install"
        )
    command = own_command()
    if quoted := next((word for word in command if "'" in word), ""):
        raise UsageError(f"the path {quoted} has a quote in it, which the plugin's script cannot hold")
    words = " ".join(f"'{word}'" if "/" in word else word for word in command)
    text = f'#!/bin/sh\n# {_MARK}\nexec {words} "$@"\n'
    files.write(path, text.encode(), 0o755)


def uninstall(path: str) -> bool:
    """Remove the plugin; whether there was one. Raises StoreError if it is not ours or cannot be removed."""
    if not os.path.lexists(path):
        return False
    if not _was_written_by_us(path):
        raise StoreError(f"{path} was not written by machine plugin install", resolution=f"rm {path}")
    try:
        os.remove(path)
    except OSError as error:
        raise StoreError(f"the plugin {path} cannot be removed: {error.strerror or error}") from None
    return True


def _was_written_by_us(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _MARK.encode() in file.read(4096)
    except OSError:
        return False
