"""What docs/troubleshooting.md says that a user sees is what the program, docker or ssh says."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.manual import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
VALUES = (  # what the messages on the page have in the place of names, addresses and figures
    *(
        "dev",
        "dve",
        "azure",
        "18031",
        "2029-03-03",
        "qemu-system-x86_64",
        r"19\S+",
        "22",
        "Stopped",
        "process",
        "ca.pem",
    ),
    *("ssh$", "the engine at", "handshake", "Warning", "DOCKER_HOST", r"\d+ s"),
)
EXAMPLES = rf"`[^`]*`|\b(?:{'|'.join(VALUES)})\b|(?:--)?\.\.\.|tcp://\S*"
OTHERS = {  # what ssh, docker and the kernel say, a command, and paths
    *("Connection refused", "no route to host", "rm", "no such host", "registry-1.docker.io", "toomanyrequests"),
    *("Client.Timeout exceeded", "x509: certificate signed by unknown authority"),
    "error while creating mount source path ...: operation not permitted",
    *("Transport endpoint is not connected", "Permission denied", "~/.bashrc", "~/.local/bin"),
}


@cache
def source() -> str:
    """Return all of the program's source, with literals that follow each other joined, and quotes unescaped."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "machine").rglob("*.py")))
    return re.sub(r"\"\s*\n\s*f?\"", "", text).replace('\\"', '"')


def messages() -> list[str]:
    """Return every message in the first column of the tables."""
    rows = re.findall(r"^\| (.+?) \| .+ \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("message", [message for message in messages() if message not in OTHERS])
def test_a_message_is_one_of_the_program(message: str) -> None:
    fragments = [part.strip(" \"'(),:?$") for part in re.split(EXAMPLES, message)]
    missing = [part for part in fragments if part and part not in source()]
    assert missing == []


def test_the_page_has_messages() -> None:
    assert len(messages()) > 40
