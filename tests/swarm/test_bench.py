"""The bench measures what it says: a small farm, every figure, and a manager that fails is no crash."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.swarm import FIGURES, main, measure, table

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def test_every_figure_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    found = measure([sys.executable, "-m", "machine", "swarm"], 3, 4)
    assert set(found) == set(FIGURES), capsys.readouterr().err
    assert 600 <= float(found["most creates on one engine"]) <= 630
    text = table(found, {"ping": float(found["ping"]) * 2}, 3, 4)
    assert [line.split()[-1] for line in text.splitlines() if "ping" in line] == ["2.0"]


def test_a_manager_that_does_not_start_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(["false"], 1, 1) == {}
    assert "ended with status 1" in capsys.readouterr().err


def test_a_classic_swarm_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLASSIC_SWARM_BIN", "/no/such/swarm")
    with pytest.raises(SystemExit):
        main(["1"])
    assert "CLASSIC_SWARM_BIN names /no/such/swarm" in capsys.readouterr().err
