"""Amazon's API on loopback: moto_server as it is, with its validations switched on.

https://docs.getmoto.org/en/latest/docs/server_mode.html. It knows the images of `IMAGES`, as the real publishers name
them, and a default VPC. What it gets wrong and is mended in front of it (see `Ec2`): a repeated ClientToken makes a
second instance there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.sshd import free_port

REGION = "us-east-1"
KEYS = ("ASIAFORTESTSONLY0000", "not-a-secret-but-shall-not-be-seen", "a-session-token-that-shall-not-be-seen")
LASTING = "AKIAFORTESTSONLY0000"  # an access key that has no session token
ENVIRON = {  # of everything that talks to it: neither somebody's account nor a metadata service is asked
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
}
IMAGES = [
    {
        "ami_id": f"ami-0000{number:04}",
        "name": name,
        "architecture": architecture,
        "owner_id": owner,
        "creation_date": made,
        "description": name,
        "image_location": "",
        "public": True,
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": device,
        "platform": None,
        "image_type": "machine",
        "sriov": "simple",
        "state": "available",
    }
    for number, (name, architecture, owner, made, device) in enumerate(
        [
            (
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250101",
                "x86_64",
                "099720109477",
                "2025-01-01T00:00:00.000Z",
                "/dev/sda1",
            ),
            (
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260301",
                "x86_64",
                "099720109477",
                "2026-03-01T00:00:00.000Z",
                "/dev/sda1",
            ),
            (
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260301",
                "arm64",
                "099720109477",
                "2026-03-01T00:00:00.000Z",
                "/dev/sda1",
            ),
            (
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20990101",
                "x86_64",
                "666666666666",
                "2099-01-01T00:00:00.000Z",
                "/dev/sda1",
            ),
            ("debian-13-amd64-20260201-1", "x86_64", "136693071363", "2026-02-01T00:00:00.000Z", "/dev/xvda"),
        ],
        1,
    )
]


class Moto:
    """Running until `stop`."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("moto_server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            pytest.skip("needs moto_server (pip install 'moto[ec2,server]')")
        self._clients: dict[str, Any] = {}
        directory.mkdir(parents=True, exist_ok=True)
        images = directory / "images.json"
        images.write_text(json.dumps(IMAGES))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "moto.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **ENVIRON,
                    "MOTO_AMIS_PATH": str(images),
                    "MOTO_ENABLE_AMI_VALIDATION": "true",
                    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
                    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
                },
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.reset()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise AssertionError(f"moto_server does not run: {self.log.read_text()}") from None
                time.sleep(0.05)
            else:
                return

    def reset(self) -> None:
        """Forget everything but the images and the default network."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=30).close()

    def stop(self) -> None:
        self.process.kill()  # it has nothing to write down, and may be busy
        self.process.wait(60)

    def client(self, service: str = "ec2") -> Any:
        """boto3's own client, past everything that stands in front of it."""
        import boto3

        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.url,
                aws_access_key_id="operator",
                aws_secret_access_key="operator",
            )
        return self._clients[service]

    def listing(self) -> dict[str, Any]:
        """All that can cost money or be in somebody's way, by kind."""
        ec2 = self.client()
        instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        return {
            "instances": sorted(i["InstanceId"] for i in instances if i["State"]["Name"] != "terminated"),
            "volumes": sorted(v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]),
            "interfaces": sorted(
                n["NetworkInterfaceId"] for n in ec2.describe_network_interfaces()["NetworkInterfaces"]
            ),
            "keys": sorted(k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]),
            "groups": sorted(
                (g["GroupId"], len(g["IpPermissions"])) for g in ec2.describe_security_groups()["SecurityGroups"]
            ),
            "addresses": ec2.describe_addresses()["Addresses"],
            "requests": sorted(
                s["SpotInstanceRequestId"]
                for s in ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
                if s["State"] in ("open", "active")
            ),
            "subnets": sorted(s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]),
            "vpcs": sorted(v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]),
            "images": sorted(i["ImageId"] for i in ec2.describe_images()["Images"]),
        }
