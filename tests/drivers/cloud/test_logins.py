"""The login of an image is known by its name."""

from __future__ import annotations

import pytest

from machine.drivers.cloud.logins import login_of


@pytest.mark.parametrize(
    ("image", "login"),
    [
        ("Ubuntu 24.04 LTS", "ubuntu"),
        ("almalinux-9", "almalinux"),
        ("rhel 9", "cloud-user"),
        ("my-own", "root"),
        ("", "root"),
    ],
)
def test_login_of(image: str, login: str) -> None:
    assert login_of(image) == login
