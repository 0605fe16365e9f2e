"""Drivers that other Python packages bring: found by their entry point, and quoted when they do not load."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers import registry
from machine.errors import DriverError
from tests.program import Program

PAGE = Path(__file__).parents[2] / "docs" / "add-a-driver.md"
BROKEN = {
    "lost": "machine_rack:Lost",
    "gone": "machine_gone:Driver",
    "odd": "json:dumps",
    "loud": "machine_loud:Driver",
}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path with the page's package as installed, and names of it that lead nowhere."""
    text = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "machine_rack.py").write_text(code)
    (tmp_path / "machine_loud.py").write_text("import no_such_library\n")
    points = tomllib.loads(toml)["project"]["entry-points"]["machine.drivers"] | BROKEN
    info = tmp_path / "machine_rack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: machine-rack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[machine.drivers]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("machine_rack", "machine_loud"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("packages")
def test_a_package_brings_a_driver() -> None:
    assert registry.find("rack").traits.name == "rack"
    assert {"rack", "qemu"} <= set(registry.names())


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("name", BROKEN)
def test_one_that_does_not_load_is_quoted(name: str) -> None:
    with pytest.raises(DriverError) as caught:
        registry.find(name)
    assert f"the driver {name} of the Python package machine-rack" in caught.value.brief
    assert {
        "lost": "Lost",
        "gone": "No module named 'machine_gone'",
        "odd": "json:dumps is no subclass",
        "loud": "no_such_library",
    }[name] in caught.value.details
    assert "machine-rack" in caught.value.resolution


def test_its_machine_can_be_given_up(packages: Path, tmp_path: Path) -> None:
    """rm -f drops the record, as it does when a driver is missing; rm refuses."""
    environ = {"PYTHONPATH": f"{packages}:{PAGE.parents[1]}"}
    program = Program(tmp_path / "p")
    directory = program.store / "machines" / "dev"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(
        '{"ConfigVersion": 3, "Name": "dev", "DriverName": "loud", "Driver": {"IPAddress": "192.0.2.1"}}'
    )
    refused = program("rm", "-y", "dev", environ=environ)
    assert (refused.status, program.names()) == (1, ["dev"])
    assert "no_such_library" in refused.err
    program("rm", "-y", "-f", "dev", environ=environ).fine()
    assert program.names() == []
