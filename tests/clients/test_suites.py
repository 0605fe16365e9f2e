"""A client's suite is held against an engine only where something failed through ours without a reason."""

from __future__ import annotations

from pathlib import Path

from tests.clients.suites import Suite, failures_of_ours
from tests.clients.targets import Target

TESTS = """
import os
import pathlib
import pytest

HOST = os.environ["DOCKER_HOST"]

@pytest.mark.parametrize("number", range(20))
def test_that_passes(number):
    pathlib.Path("left").touch()

class TestAll:
    def test_everywhere(self):
        assert not "anywhere"

    @pytest.mark.parametrize("what", ["a b"])
    def test_of_ours(self, what):
        assert HOST == "engine"

    def test_explained(self):
        assert HOST == "engine"

    def test_after_others(self):
        assert not pathlib.Path("left").exists()
"""


def suite_of(place: Path, tests: str) -> Suite:
    (place / "suite/tests").mkdir(parents=True)
    (place / "suite/tests/test_them.py").write_text(tests)
    return Suite(place / "suite", ("tests",), place)


def test_what_fails_at_an_engine_too_or_has_a_reason_is_not_our_fault(tmp_path: Path) -> None:
    found = {name: Target(name, {"DOCKER_HOST": name}, "") for name in ("engine", "manager", "aggregate")}
    explained = {"manager": {"TestAll.test_explained": "a reason"}, "aggregate": {}}
    assert failures_of_ours(found, suite_of(tmp_path, TESTS), explained) == {
        "manager": {"TestAll.test_of_ours[a b]": "AssertionError: assert 'manager' == 'engine'"},
        "aggregate": {
            "TestAll.test_of_ours[a b]": "AssertionError: assert 'aggregate' == 'engine'",
            "TestAll.test_explained": "AssertionError: assert 'aggregate' == 'engine'",
        },
    }


def test_an_engine_is_not_asked_where_nothing_failed(tmp_path: Path) -> None:
    found = {"manager": Target("manager", {"DOCKER_HOST": "manager"}, "")}
    suite = suite_of(tmp_path, TESTS.partition("class")[0] + "def test_one_more():\n    pass\n")
    assert failures_of_ours(found, suite, {"manager": {}}) == {}
