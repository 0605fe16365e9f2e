"""All that a driver cannot do without is told in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.missing_options import MissingOption, check_complete
from machine.errors import MissingOptions
from tests.cli.typed import CommandResult, new_store_with_engines


def test_one_gap_is_its_own_sentence_and_several_are_a_list() -> None:
    check_complete("x", [])
    with pytest.raises(MissingOptions) as one:
        check_complete("x", [MissingOption("it needs A", "add --a")])
    assert (one.value.brief, one.value.resolution, one.value.exit_code) == ("it needs A", "add --a", 2)
    with pytest.raises(MissingOptions) as two:
        check_complete(
            "x", [MissingOption("it needs A", "add --a"), MissingOption("it needs B", "add --b", credential=True)]
        )
    assert (two.value.details, two.value.resolution) == ("it needs A\nit needs B", "add --a\nadd --b")
    assert two.value.exit_code == 3


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (
            ["-d", "openstack"],
            ["auth-url", "username", "password", "project-name", "flavor-name", "image-name"],
        ),
        (
            ["-d", "openstack", "--openstack-cloud", "c", "--openstack-keypair-name", "k"],
            ["flavor-name", "image-name", "private-key-file"],
        ),
        (["-d", "azure", "--azure-login", "secret"], ["subscription-id", "client-secret"]),
        (["-d", "azure", "--azure-client-secret", "s"], ["subscription-id", "client-id"]),
        (["-d", "digitalocean"], ["access-token"]),
        (["-d", "hetzner"], ["api-token"]),
        (
            ["-d", "amazonec2", "--amazonec2-access-key", "a", "--amazonec2-keypair-name", "k"],
            ["secret-key", "ssh-keypath"],
        ),
        (["-d", "generic"], ["ip-address"]),
        (["-d", "none"], ["url"]),
    ],
)
def test_every_missing_flag_of_a_driver_at_once(line: list[str], flags: list[str], tmp_path: Path) -> None:
    with new_store_with_engines(tmp_path) as cli:
        typed: CommandResult = cli.type("create", *line, "m")
        assert typed.status in (2, 3)
        assert all(flag in typed.err for flag in flags), typed.err
        assert cli.store.names() == []
