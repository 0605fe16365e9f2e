"""Asking a host to reboot, by a shell that answers as hosts do."""

from __future__ import annotations

import pytest

from machine.errors import NotSupported, ShellError
from machine.lifecycle.power import ask_to_reboot
from machine.process import Completed


class Host:
    """A shell that gives one answer to everything."""

    def __init__(self, answer: Completed | ShellError) -> None:
        self.answer = answer

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        if isinstance(self.answer, ShellError):
            raise self.answer
        return self.answer

    def put(self, path: str, content: bytes, mode: int) -> None:
        raise AssertionError("nothing is to be written")


@pytest.mark.parametrize("words", ["sudo: a password is required", "shutdown: not found", "Access denied"])
def test_a_host_that_refuses_is_not_waited_for(words: str) -> None:
    with pytest.raises(NotSupported) as caught:
        ask_to_reboot(Host(Completed(1, "", words)), "cellar")
    assert words in caught.value.details


@pytest.mark.parametrize(
    "answer", [Completed(0), Completed(255), ShellError("the ssh connection to cellar broke")], ids=repr
)
def test_a_connection_that_a_reboot_cuts_is_no_failure(answer: Completed | ShellError) -> None:
    ask_to_reboot(Host(answer), "cellar")
