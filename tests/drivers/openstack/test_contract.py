"""Driver openstack as every cloud's driver: see tests/drivers/cloud_contract.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.drivers.cloud_contract import CloudContract
from tests.drivers.openstack.fake_openstack import Stack


class TestOpenStack(CloudContract):
    """Against services in memory that openstacksdk talks to by HTTP."""

    with_more: ClassVar[dict[str, Any]] = {
        "openstack-floatingip-pool": "public",
        "openstack-volume-size": 30,
        "openstack-flavor-name": "volume.small",
    }

    # these take long, and below they have more calls to look at
    test_kill_9_after_every_call_leaves_nothing = None  # type: ignore[assignment]  # not collected
    test_every_answer_may_be_lost_once = None  # type: ignore[assignment]  # not collected
    test_throttled_and_broken_answers_are_repeated = None  # type: ignore[assignment]  # not collected


class WithMore(Stack):
    """A machine that boots from a volume of its own and has a floating address."""

    def options(self) -> dict[str, Any]:
        more = {"openstack-floatingip-pool": "public", "openstack-volume-size": 30}
        return {**super().options(), "openstack-flavor-name": "volume.small", **more}


@pytest.mark.slow
class TestOpenStackWithMore:
    """The hardest parts of the contract, on more calls."""

    @pytest.fixture
    def cloud(self) -> Iterator[Stack]:
        found = WithMore()
        yield found
        found.close()

    test_life = CloudContract.test_the_whole_life
    test_killed = CloudContract.test_kill_9_after_every_call_leaves_nothing
    test_lost = CloudContract.test_every_answer_may_be_lost_once
    test_throttled = CloudContract.test_throttled_and_broken_answers_are_repeated
