"""What can be no address is an OSError like any that does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.dial import dial
from tests.cli.typed import new_store_with_engines
from tests.sshd import free_port

NO_ADDRESSES = ["a..b", "x" * 300, "/dev/zero", "é" * 70 + ".example", "a\0b", ".", "127.0.0.1 "]


@pytest.mark.parametrize("host", NO_ADDRESSES)
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(OSError, match=r"(?i)no address|not known|resolution"):
        dial(host, 22, 0.5)


@pytest.mark.parametrize("port", [70000, -1])
def test_what_is_no_port(port: int) -> None:
    with pytest.raises(OSError, match=f"there is no port {port}"):
        dial("127.0.0.1", port, 0.5)


def test_an_address_where_nothing_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        dial("127.0.0.1", free_port(), 0.5)


@pytest.mark.parametrize("host", ["a..b", "/dev/zero", "x" * 70 + ".example"])
@pytest.mark.parametrize(
    "line", [("env", "dev"), ("status", "dev"), ("ssh", "--native-ssh", "dev", "true"), ("ls", "-t", "1")]
)
def test_a_record_with_no_address_is_no_bug(tmp_path: Path, host: str, line: tuple[str, ...]) -> None:
    with new_store_with_engines(tmp_path) as cli:
        record = cli.machine("dev", 2376)
        record.driver_object["IPAddress"] = host
        cli.store.save(record)
        typed = cli.type(*line)
    assert "bug" not in typed.err + typed.out
    assert not typed.status or "Try: " in typed.err
