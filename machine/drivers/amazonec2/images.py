"""Which image is meant when none is named: the newest of a distribution, for one processor. Pure.

Canonical and Debian publish the current id of every region as public SSM parameters; where those cannot be read, the
newest image of the publisher's account is taken.
https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/, https://wiki.debian.org/Cloud/AmazonEC2Image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CANONICAL, CANONICAL_CN, CANONICAL_GOV = "099720109477", "837727238323", "513442679011"
DEBIAN = "136693071363"
PROCESSORS = {"x86_64": "amd64", "arm64": "arm64"}  # EC2's word -> the distributions' word


@dataclass(frozen=True, slots=True)
class Distribution:
    """`parameter` and `pattern` have a place for the processor; `owners` are accounts, by the partition's region."""

    user: str
    parameter: str
    pattern: str
    owners: tuple[str, ...]

    def parameter_for(self, architecture: str) -> str:
        """The name of the SSM parameter that holds the image's id."""
        return self.parameter.format(PROCESSORS[architecture])

    def pattern_for(self, architecture: str) -> str:
        """The `name` filter for DescribeImages."""
        return self.pattern.format(PROCESSORS[architecture])


def _ubuntu(version: str, codename: str, disk: str) -> Distribution:
    return Distribution(
        "ubuntu",
        f"/aws/service/canonical/ubuntu/server/{version}/stable/current/{{}}/hvm/ebs-{disk}/ami-id",
        f"ubuntu/images/hvm-ssd*/ubuntu-{codename}-{version}-{{}}-server-*",
        (CANONICAL, CANONICAL_CN, CANONICAL_GOV),
    )


def _debian(version: str) -> Distribution:
    return Distribution(
        "admin", f"/aws/service/debian/release/{version}/latest/{{}}", f"debian-{version}-{{}}-*", (DEBIAN,)
    )


DISTRIBUTIONS = {
    "ubuntu-24.04": _ubuntu("24.04", "noble", "gp3"),
    "ubuntu-22.04": _ubuntu("22.04", "jammy", "gp2"),
    "debian-13": _debian("13"),
    "debian-12": _debian("12"),
}


def newest(images: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The one with the latest CreationDate (ISO 8601 text) that can be started."""
    ready = [image for image in images if image.get("State", "available") == "available"]
    return max(ready, key=lambda image: str(image.get("CreationDate", "")), default=None)


def root_size(image: dict[str, Any]) -> int:
    """GB that its root disk needs at least; 0 if it does not say."""
    for mapping in image.get("BlockDeviceMappings", []):
        if mapping.get("DeviceName") == image.get("RootDeviceName"):
            return int(mapping.get("Ebs", {}).get("VolumeSize") or 0)
    return 0
