"""Where an API tells no accounts apart, a token stands for one."""

from __future__ import annotations

import pytest

from machine.drivers.cloud import account


def test_a_token_stands_for_its_account_and_is_not_told() -> None:
    found = account.of_token(" the-token\n", "project")
    assert found == account.of_token("the-token", "project") != account.of_token("another", "project")
    assert found.startswith("project-")
    assert "the-token" not in found


@pytest.mark.parametrize(
    ("recorded", "shows", "believed"),
    [("", None, "asked"), ("asked", None, "asked"), ("other", True, "other"), ("other", False, "asked")],
)
def test_another_token_is_believed_if_it_shows_the_machine(recorded: str, shows: bool | None, believed: str) -> None:
    def look() -> bool:
        assert shows is not None, "nothing is asked where the answer is known"
        return shows

    assert account.believed("asked", recorded, look) == believed
