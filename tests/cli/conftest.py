"""The store in which the reading commands are typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.typed import StoreWithEngines, new_store_with_engines


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[StoreWithEngines]:
    """An empty store; machines and engines are added by the test."""
    with new_store_with_engines(tmp_path) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    root = tmp_path / "store"
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(root))
    return root
