"""The SDK's own chain of credentials: profiles, a role in another account, a program that hands out keys."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import AccountAware
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.amazonec2.moto import KEYS
from tests.drivers.cloud_stand_in import again, make, new, unmake

PROCESS = """
import json
print(json.dumps({"Version": 1, "AccessKeyId": "AKIAOFAPROGRAM000000", "SecretAccessKey": "handed-out"}))
"""


@pytest.fixture
def profiles(cloud: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ec2:
    """~/.aws/config with `work`, whose keys a program hands out, and `ops`, a role that `work` may take."""
    program, config = tmp_path / "keys.py", tmp_path / "config"
    program.write_text(PROCESS)
    config.write_text(
        f"[profile work]\nregion = eu-central-1\ncredential_process = {sys.executable} {program}\n"
        "[profile ops]\nregion = us-east-1\nsource_profile = work\nrole_arn = arn:aws:iam::333333333333:role/ops\n"
        f"endpoint_url = {cloud.proxy.url}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setattr(cloud, "credentials", dict)
    monkeypatch.setattr(cloud, "options", lambda: {"amazonec2-endpoint": cloud.proxy.url})
    return cloud


def signed_by(cloud: Ec2, name: str) -> str:
    """The access key and the region that the last call of that name was signed with."""
    call = [call for call in cloud.proxy.calls if call.name == name][-1]
    return call.headers["Authorization"].partition("Credential=")[2]


def kept(driver: Any) -> str:
    """All that was ever saved of it."""
    return json.dumps(driver.saved)


def test_a_profile_brings_its_keys_and_its_region(profiles: Ec2, tmp_path: Path) -> None:
    driver = new(profiles, tmp_path, **{"amazonec2-profile": "work", "amazonec2-ami": "ami-00000002"})
    driver.check()
    driver.ctx.save(driver)
    key, _, region, _ = signed_by(profiles, "DescribeAvailabilityZones").split("/", 3)
    assert (key, region) == ("AKIAOFAPROGRAM000000", "eu-central-1")
    assert (driver.dump()["Region"], driver.dump()["Profile"]) == ("eu-central-1", "work")
    assert "handed-out" not in kept(driver)
    assert "AKIAOFAPROGRAM000000" not in kept(driver)


def test_a_role_is_taken_and_its_account_written_down(profiles: Ec2, tmp_path: Path) -> None:
    """Its keys last an hour, so only the profile's name is kept."""
    driver = make(new(profiles, tmp_path, **{"amazonec2-profile": "ops"}))
    assert "AssumeRole" in profiles.proxy.names()
    assert signed_by(profiles, "RunInstances").startswith("ASIA")
    assert driver.dump()["AccountID"] == "333333333333"
    later = again(driver)
    assert isinstance(later, AccountAware)
    assert later.current_account() == "333333333333"
    assert "ASIA" not in kept(driver)
    unmake(again(driver))


def test_keys_win_over_a_profile(profiles: Ec2, tmp_path: Path) -> None:
    given = {"amazonec2-access-key": KEYS[0], "amazonec2-secret-key": KEYS[1], "amazonec2-region": "us-east-1"}
    driver = new(profiles, tmp_path, **given, **{"amazonec2-profile": "work"})
    driver.check()
    assert signed_by(profiles, "DescribeAvailabilityZones").startswith(f"{KEYS[0]}/")
