"""What is given for an engine: nonsense is named by its flag before anything is made, and secrets are not printed."""

from __future__ import annotations

from typing import Any

import pytest

from machine import engine_values
from machine.errors import UsageError
from machine.model import EngineOptions


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"env": ("A B=s3cret",)}, "--engine-env 'A B' is no name"),
        ({"env": ("1A=s3cret",)}, "is no name of a variable"),
        ({"env": ("=s3cret",)}, "KEY=VALUE"),
        ({"env": ("A=s3\ncret",)}, "--engine-env 'A' has a line end"),
        ({"env": ("A=s3\x1bcret",)}, "control character"),
        ({"env": ("A=s3cret\udcff",)}, "--engine-env 'A' is not UTF-8"),
        ({"labels": ("a",)}, "--engine-label 'a' is not of the form KEY=VALUE"),
        ({"labels": ("a=\r",)}, "--engine-label 'a' has a line end"),
        ({"flags": ("",)}, "--engine-opt is empty"),
        ({"flags": ("--",)}, "--engine-opt is empty"),
        ({"registry_mirrors": ("",)}, "--engine-registry-mirror is empty"),
        ({"insecure_registries": ("r\udcff",)}, "--engine-insecure-registry is not UTF-8"),
        ({"install_url": "https://x/\x7f"}, "--engine-install-url has"),
        ({"install_url": "ftp://x.example/get"}, "--engine-install-url cannot be 'ftp://x.example/get'"),
        ({"install_url": "/nonexist"}, "--engine-install-url cannot be '/nonexist'"),
        ({"install_url": "https://"}, "--engine-install-url cannot be 'https://'"),
        ({"install_url": "x://me:s3cret@h/"}, "--engine-install-url cannot be 'x://*****@h/'"),
    ],
)
def test_what_no_engine_could_get_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine_values.check(EngineOptions(**values))
    assert said in caught.value.brief
    assert said == "KEY=VALUE" or "s3" not in caught.value.brief


def test_what_engines_take_passes() -> None:
    engine_values.check(
        EngineOptions(
            install_url="http://192.0.2.1:8000/get",
            env=("A=", "_b2=x y 'z' \"%h\" $HOME \N{SNOWMAN}"),
            labels=("com.example/a b=c d",),
            flags=("debug",),
        )
    )


@pytest.mark.parametrize("url", ["distro", "none", "https://get.docker.com", "http://me:pw@[::1]:8000/install?x=1"])
def test_where_a_script_may_be(url: str) -> None:
    engine_values.check_install_url(url)
