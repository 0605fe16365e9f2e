"""Contexts and small images for the tests of driver virtualbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine.drivers.base import Driver
from machine.drivers.virtualbox.driver import VirtualBoxDriver
from machine.options import resolve
from machine.process import Completed
from tests.drivers import contexts


def bootable(path: Path, size: int = 3 << 20) -> str:
    """A raw disk with a boot sector and nothing that boots."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(510) + b"\x55\xaa" + b"content" + bytes(size - 519))
    return str(path)


def driver(directory: Path, run: Callable[..., Completed], name: str = "dev", **given: Any) -> VirtualBoxDriver:
    """A driver whose every saved dump is the file `saved.json` beside the store."""
    directory.mkdir(parents=True, exist_ok=True)
    saved = directory / f"{name}.json"

    def save(made: Driver) -> None:
        saved.write_text(json.dumps(made.dump()))

    ctx = replace(
        contexts.real(directory, name),
        machine_id=f"id-of-{name}",
        run=run,
        save=save,
    )
    if saved.exists() and not given:
        return VirtualBoxDriver.load(ctx, json.loads(saved.read_text()))
    given = {"program": "sh", "image": bootable(directory / "boot.img"), "no_share": True, **given}
    values = {f"virtualbox-{key.replace('_', '-')}": value for key, value in given.items()}
    made = VirtualBoxDriver.configure(ctx, resolve(VirtualBoxDriver.traits.options, values, {}))
    made.give_host_key("PRIVATE", "ssh-ed25519 AAAA host")
    return made


def files(directory: Path, name: str = "dev") -> list[str]:
    """What is in the machine's directory besides its keys."""
    own = directory / "store" / "machines" / name
    return sorted(path.name for path in own.rglob("*") if not path.name.startswith("id_ed25519"))
