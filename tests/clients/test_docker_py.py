"""docker-py's own integration tests, through the manager and through an aggregate, beside an engine asked directly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.suites import failures, source_archive, targets
from tests.swarm.engines import needs_engines
from tests.swarm.islands import needs_islands

pytestmark = [*needs_engines, *needs_islands]

SUITE = ("docker", "7.0.0")  # the last release whose archive has its tests
SWARM_MODE = ("api_service", "api_swarm", "api_secret", "api_config", "models_services", "models_swarm", "models_nodes")
NOT_RUN = ("credentials", "context_api_test.py", "api_plugin_test.py", *(f"{name}_test.py" for name in SWARM_MODE))
SLOW = ("test_invalid_log_driver_raises_exception", "test_create_volume_invalid_driver")  # dockerd waits 15 s for each
PULLS = (
    "pull",
    "test_tag_and_remove",
    "test_list_with_repository",
    "distribution",
    "does_not_exist",
)  # no registry here

EXPLAINED = {
    "manager": {
        "ContainerCPUTest.test_container_cpu_shares": "classic Swarm's shares are CPUs: 512 of them are not there",
        "ContainerTest.test_update": "the same: 2 shares are given to the engine as 1024 of 1024",
    },
    "aggregate": {},
}


def test_no_more_fails_than_at_an_engine(tmp_path: Path) -> None:
    tree = source_archive(*SUITE)
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "tests").symlink_to(tree / "tests")
    words = ["tests/integration", *(f"--ignore=tests/integration/{name}" for name in NOT_RUN)]
    words += ["-k", " and ".join(f"not {name}" for name in (*SLOW, *PULLS))]
    with targets(tmp_path) as urls:
        found = failures(urls, suite, words, tmp_path)
    for name, explained in EXPLAINED.items():
        more = {test: why for test, why in found[name].items() if test not in found["engine"] and test not in explained}
        if more:
            pytest.fail(f"through the {name}: {more}")
