"""--engine-proxy as typed: what a dry run says of the proxies that a machine would have."""

from __future__ import annotations

import pytest

from machine.provision.host_files import APT_PROXIES
from tests.cli.typed import StoreWithEngines

PROXIES = {"HTTP_PROXY": "http://me:hunter2@127.0.0.1:3128", "HTTPS_PROXY": "http://proxy.example:3128"}
ELSEWHERE = ("-d", "generic", "--generic-ip-address", "192.0.2.1")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["-d", "qemu"], ["HTTP_PROXY=http://*****@10.0.2.2:3128", "HTTPS_PROXY=http://proxy.example:3128"]),
        (["-d", "qemu", "--engine-proxy", "off"], []),
        (["-d", "qemu", "--qemu-host-access", "off"], ["HTTPS_PROXY=http://proxy.example:3128"]),
        ([*ELSEWHERE], []),
        ([*ELSEWHERE, "--engine-proxy", "env"], ["HTTPS_PROXY=http://proxy.example:3128"]),
    ],
)
def test_a_dry_run_shows_the_proxies_as_the_machine_reaches_them(
    cli: StoreWithEngines, line: list[str], found: list[str]
) -> None:
    done = cli.type("create", "--dry-run", *line, "dev", **PROXIES)
    assert done.status == 0, done.err
    mark = "proxy of the engine: "
    assert [text.strip().removeprefix(mark) for text in done.out.splitlines() if mark in text] == found
    assert "hunter2" not in done.out + done.err


def test_the_script_of_a_dry_run_has_the_proxies_and_no_password(cli: StoreWithEngines) -> None:
    done = cli.type("create", "--dry-run=script", "-d", "qemu", "dev", NO_PROXY="intranet.example", **PROXIES)
    assert done.status == 0, done.err
    assert 'Environment="HTTP_PROXY=http://*****@10.0.2.2:3128"' in done.out
    assert 'Environment="https_proxy=http://proxy.example:3128"' in done.out
    assert "intranet.example,localhost,127.0.0.0/8,::1,machine-address" in done.out
    assert "# machine-address stands for" in done.out
    assert f"put {APT_PROXIES} 0600" in done.out
    assert "hunter2" not in done.out + done.err
    open_to_all = cli.type("create", "--dry-run=script", "-d", "qemu", "--engine-proxy", "http://p:1", "dev").out
    assert 'Acquire::https::Proxy "http://p:1";' in open_to_all
    without = cli.type("create", "--dry-run=script", "-d", "qemu", "--engine-proxy", "off", "dev", **PROXIES)
    assert "PROXY" not in without.out
    assert "machine-address" not in without.out
