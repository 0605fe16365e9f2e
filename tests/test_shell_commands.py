"""The reader of shell scripts finds the commands that a shell would run."""

from __future__ import annotations

import pytest

from tests.shell_commands import commands


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("machine create dev  # a machine", ["machine create dev"]),
        ('eval "$(machine env dev)"', ["machine env dev", "SUBSTITUTED"]),
        ("token=token://$(machine swarm create)", ["machine swarm create"]),
        ("curl http://$(machine ip dev):8080", ["machine ip dev", "curl http://SUBSTITUTED:8080"]),
        ("if ! machine ls -q | grep -x dev >/dev/null 2>&1; then machine rm dev; fi",
         ["machine ls -q", "grep -x dev", "machine rm dev", "fi"]),
        ("machine create \\\n    --swarm dev & wait", ["machine create --swarm dev", "wait"]),
        ("swarmd 'dockerserver; x' 'debug'", ["swarmd dockerserver; x debug"]),
        ("machine ls -f '{{if gt 1 0}}x{{end}}'", ["machine ls -f {{if gt 1 0}}x{{end}}"]),
        ("a=1 machine ls && b", ["machine ls", "b"]),
        ("it's prose about machine", []),
    ],
)  # fmt: skip
def test_commands_of_a_script(script: str, found: list[str]) -> None:
    assert [" ".join(words) for words in commands(script)] == found
