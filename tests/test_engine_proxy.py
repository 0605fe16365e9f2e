"""Which proxies a machine gets, and what of them reaches it."""

from __future__ import annotations

import json

import pytest

from machine import engine_proxy
from machine.errors import UsageError

CORPORATE = {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a.example,.b.example"}


@pytest.mark.parametrize(
    ("flag", "local", "environ", "found"),
    [
        ("", True, CORPORATE, CORPORATE),
        ("", False, CORPORATE, {}),
        ("env", False, CORPORATE, CORPORATE),
        ("off", True, CORPORATE, {}),
        ("", True, {}, {}),
        ("", True, {"NO_PROXY": "a"}, {}),
        ("env", True, {"https_proxy": "proxy:1", "HTTPS_PROXY": "http://other:2"}, {"HTTPS_PROXY": "http://proxy:1"}),
        ("http://x:1", True, CORPORATE, dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://x:1")),
    ],
)
def test_whose_proxies(flag: str, local: bool, environ: dict[str, str], found: dict[str, str]) -> None:
    if flag.startswith("http") and "NO_PROXY" in environ:
        found = {**found, "NO_PROXY": environ["NO_PROXY"]}
    assert engine_proxy.wanted(flag, environ, local=local) == (found, ())


@pytest.mark.parametrize(
    "value",
    [
        *("http://", "ftp://h:1", "http://h:99999", "http://h:1\nEnvironment=X=1", 'http://h:1";\nx "', "http://h:1 x"),
        *("http://h:`id`", "http://[::1", "http://h/" + "x" * 5000, "http://h\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ],
)
def test_what_is_no_proxy_is_left_out_with_a_warning_and_refused_as_a_flag(value: str) -> None:
    found, warnings = engine_proxy.wanted("env", {"HTTPS_PROXY": value}, local=True)
    assert found == {}
    assert len(warnings) == 1
    assert value not in warnings[0], "it may be a secret"
    with pytest.raises(UsageError):
        engine_proxy.check_flag(value)


@pytest.mark.parametrize(
    "value", ["http://me:sec#ret@h:1", "http://me:sec/ret@h:1", "http://me:sec?ret@h:1", "me:sec@h:1"]
)
def test_a_flag_that_is_no_proxy_is_shown_without_a_password(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine_proxy.check_flag(value)
    assert "sec" not in caught.value.brief
    assert "# is %23" in caught.value.resolution


@pytest.mark.parametrize("flag", ["", "env", "off", "http://me:secret@proxy.example:3128", "socks5://[fd00::1]:1080"])
def test_what_the_flag_takes(flag: str) -> None:
    engine_proxy.check_flag(flag)


@pytest.mark.parametrize(
    ("url", "gateway", "found"),
    [
        ("http://127.0.0.1:3128", "10.0.2.2", "http://10.0.2.2:3128"),
        ("http://me:it@localhost:3128/", "10.0.2.2", "http://me:it@10.0.2.2:3128/"),
        ("http://[::1]:3128", "10.0.2.2", "http://10.0.2.2:3128"),
        ("http://127.0.0.1", "10.0.2.2", "http://10.0.2.2"),
        ("http://proxy.example:3128", "10.0.2.2", "http://proxy.example:3128"),
        ("http://proxy.example:3128", "", "http://proxy.example:3128"),
        ("http://127.0.0.1:3128", "", ""),
    ],
)
def test_a_proxy_on_this_computer_is_at_its_gateway(url: str, gateway: str, found: str) -> None:
    seen, unreachable = engine_proxy.seen_from_machine({"HTTPS_PROXY": url, "NO_PROXY": "a"}, gateway)
    assert seen == ({"HTTPS_PROXY": found, "NO_PROXY": "a"} if found else {})
    assert unreachable == ([] if found else ["HTTPS_PROXY"])


def test_the_machine_and_those_around_it_are_reached_directly() -> None:
    pairs = dict(pair.split("=", 1) for pair in engine_proxy.variables(CORPORATE, ["10.0.0.5", "10.0.0.6"]))
    hosts = pairs["NO_PROXY"].split(",")
    assert hosts == ["a.example", ".b.example", "localhost", "127.0.0.0/8", "::1", "10.0.0.5", "10.0.0.6"]
    assert pairs["no_proxy"] == pairs["NO_PROXY"]
    assert pairs["https_proxy"] == pairs["HTTPS_PROXY"] == "http://proxy:3128"


def test_what_engine_env_says_counts_more() -> None:
    assert engine_proxy.variables(CORPORATE, [], ["https_proxy=http://other:1"]) == []
    names = [pair.split("=")[0] for pair in engine_proxy.variables(CORPORATE, [], ["NO_PROXY=mine"])]
    assert names == ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]


def test_what_is_kept_comes_back() -> None:
    assert engine_proxy.load(engine_proxy.dump(CORPORATE)) == CORPORATE
    assert engine_proxy.dump({}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "1",
        '{"HTTP_PROXY": 1}',
        json.dumps({"HTTP_PROXY": "http://h:1\nX=1"}),
        '{"PATH": "/tmp"}',
        "[" * 9999,
    ],
)
def test_nonsense_that_was_kept_is_nothing(text: str) -> None:
    assert engine_proxy.load(text) == {}


def test_passwords_are_shown_to_nobody() -> None:
    proxies = {"HTTPS_PROXY": "http://me:hunter2@proxy:3128", "HTTP_PROXY": "http://token@proxy:3128"}
    assert engine_proxy.passwords(proxies) == ["hunter2", "token"]
    assert "hunter2" not in " ".join(engine_proxy.without_passwords(proxies))


def test_apt_gets_hosts_and_no_networks() -> None:
    text = engine_proxy.apt_settings(engine_proxy.variables(CORPORATE, ["10.0.0.5"])).decode()
    assert 'Acquire::http::Proxy "http://proxy:3128";\n' in text
    assert 'Acquire::https::Proxy::a.example "DIRECT";\n' in text
    assert 'Acquire::http::Proxy::10.0.0.5 "DIRECT";\n' in text
    assert ".b.example" not in text
    assert "/8" not in text
    assert engine_proxy.apt_settings(()) == b""
