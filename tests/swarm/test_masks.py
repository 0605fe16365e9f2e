"""No password and no token in what is said and logged."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.errors import MachineError, masked
from machine.swarm.cli import CliContext, run
from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.http.address import parse
from machine.swarmd.backends.debug import shown_target

TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://u:{SECRET}@h:1/v1", "https://*****@h:1/v1"),
        (f"https://{SECRET}@h/v1", "https://*****@h/v1"),
        (f"https://u:p@{SECRET}@h/v1", "https://*****@h/v1"),
        (f"u:{SECRET}@h/v1", "*****@h/v1"),
        (f"https://h/v1/clusters/{TOKEN}?ttl=5", "https://h/v1/clusters/*****?*****"),
        (f"https://h/v1?password={SECRET}", "https://h/v1?*****"),
        (f"token://{TOKEN}", "token://*****"),
        (f"token://h:1/v1/{TOKEN}", "token://h:1/v1/*****"),
        (f"token://u:{SECRET}@h:1/v1/{TOKEN}", "token://*****@h:1/v1/*****"),
        (TOKEN, "*****"),
        ("nodes://a:1,b:2", "nodes://a:1,b:2"),
        ("etcd://a:1,b/prod", "etcd://a:1,b/prod"),
        ("file:///etc/nodes", "file:///etc/nodes"),
        ("a:1", "a:1"),
        ("tcp://[::1]:2375", "tcp://[::1]:2375"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert masked(shown) == shown


URLS = [
    f"http://u:{SECRET}@far.example/v1", f"ftp://u:{SECRET}@h/v1", f"https://u:{SECRET}@:5/v1", f"https://u:{SECRET}@[x/",
    f"https://u:{SECRET}@h:port/v1", f"https://u:{SECRET}@127.0.0.1:1/v1", f"u:{SECRET}@127.0.0.1:1",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("words", [["create"], ["list", f"token://{TOKEN}"], ["manage", f"token://{TOKEN}", "x"]])
def test_messages_about_the_service_in_the_environment(url: str, words: list[str]) -> None:
    said: list[str] = []
    around = CliContext({"MACHINE_DISCOVERY_URL": url, "HOME": "/nowhere"}, said.append, said.append)
    with pytest.raises((MachineError, DiscoveryError)) as found:
        run(words, around)
    error = found.value
    texts = [str(error), getattr(error, "details", ""), getattr(error, "resolution", ""), *said]
    assert not [text for text in texts if SECRET in text or TOKEN in text]


@pytest.mark.parametrize(
    "url",
    [
        f"token://u:{SECRET}@127.0.0.1:1/v1/{TOKEN}",
        f"token://127.0.0.1:1/v1/{TOKEN}",
        f"token://u:{SECRET}@127.0.0.1:1/",
        f"etcd://u:{SECRET}@127.0.0.1:1/x",
        f"consul://u:{SECRET}@127.0.0.1:1/x",
        f"nodes://u:{SECRET}@127.0.0.1:1",
        f"zk://u:{SECRET}@h/x",
    ],
)
async def test_messages_about_a_discovery(url: str) -> None:
    try:
        found = from_url(url, environ={})
        assert SECRET not in found.description
        assert TOKEN not in found.description
        with pytest.raises(DiscoveryError) as failed:
            await found.nodes()
        text = str(failed.value)
    except DiscoveryError as error:
        text = str(error)
    assert SECRET not in text
    assert TOKEN not in text


def test_a_docker_address_has_no_password() -> None:
    for url in (f"tcp://u:{SECRET}@h:1", f"ssh://u:{SECRET}@h", f"u:{SECRET}@h:1", f"tcp://u:{SECRET}@h:99999"):
        with pytest.raises(MachineError) as found:
            parse(url)
        assert SECRET not in f"{found.value.brief} {found.value.details} {found.value.resolution}"


def test_the_lines_of_debug_have_no_secrets() -> None:
    args = "buildargs=%7B%22PASSWORD%22%3A%22s3cret%22%7D&t=web&remote=https%3A%2F%2Fu%3As3cret%40h%2Fr.git"
    assert shown_target(f"/v1.43/build?{args}") == "/v1.43/build?buildargs=*****&t=web&remote=*****"
    assert shown_target(f"/v1/clusters/{TOKEN}?address=a:1") == "/v1/clusters/*****?address=a:1"
    assert shown_target("/info") == "/info"


def test_images_and_scripts_are_named_without_the_password_of_their_url(tmp_path: Path) -> None:
    from machine.drivers.images import fetch

    for url in (f"https://u:{SECRET}@127.0.0.1:1/x.qcow2?sig={SECRET}", f"ftp://u:{SECRET}@h/x"):
        said: list[str] = []
        with pytest.raises(MachineError) as found:
            fetch.download(url, str(tmp_path / "x"), "", said.append)
        assert SECRET not in " ".join((found.value.brief, found.value.details, found.value.resolution, *said))
