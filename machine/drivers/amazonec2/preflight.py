"""The read-only look before a create: does what was asked for exist, and which of it is meant.

What is found (region, image, device, VPC, subnets) is written into the Driver object, so that create need not ask
again. Every refusal names the flag.
"""

from __future__ import annotations

from typing import Any

from machine.drivers.amazonec2 import config, firewall, groups, images, requests
from machine.drivers.amazonec2.client import Api
from machine.drivers.amazonec2.errors import DryRun
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.errors import PreflightFailed

ON_DEMAND = {  # first letters of an instance type -> quota of running on-demand vCPUs
    **dict.fromkeys("acdhimrtz", "L-1216C47A"),
    **dict.fromkeys(("g", "gr", "vt"), "L-DB2E81BA"),
    "p": "L-417A185B",
}
SPOT = {
    **dict.fromkeys("acdhimrtz", "L-34B43A08"),
    **dict.fromkeys(("g", "gr", "vt"), "L-3819A6DF"),
    "p": "L-7212CCBC",
}


def preflight(api: Api, data: dict[str, Any], ctx: DriverContext) -> None:
    """Ask, and settle in `data` what was left open; PreflightFailed or a CloudError."""
    data["Region"] = api.region()
    zones = api.zones()  # the first call: credentials and region are good when it answers
    data["AccountID"] = api.account()
    if config.zone(data) and config.zone(data) not in zones:
        raise PreflightFailed(
            f"there is no zone {config.zone(data)} in service in {data['Region']}",
            resolution=f"give --amazonec2-zone one of {', '.join(zones)}, or leave it out",
        )
    size = _size(api, data)
    _image(api, data, size)
    _network(api, data)
    groups.check_groups(api, data, ctx)
    _key(api, data)
    _quota(api, data, size)
    _dry_run(api, data, ctx.name)


def _size(api: Api, data: dict[str, Any]) -> dict[str, Any]:
    size = api.instance_type(data["InstanceType"])
    data["Architecture"] = (
        "arm64" if "arm64" in size.get("ProcessorInfo", {}).get("SupportedArchitectures", []) else ("x86_64")
    )
    return size


def _image(api: Api, data: dict[str, Any], size: dict[str, Any]) -> None:
    image = api.image(data["AMI"]) if data.get("AMI") else _newest(api, data)
    if not image:
        raise PreflightFailed(
            f"there is no image {data.get('AMI') or data['Distribution']} in {data['Region']}",
            resolution="give an image of this region with --amazonec2-ami",
        )
    supported = size.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    if supported and image.get("Architecture", supported[0]) not in supported:
        raise PreflightFailed(
            f"the image {image['ImageId']} is for {image['Architecture']}, the instance type {data['InstanceType']} "
            f"for {', '.join(supported)}",
            resolution="choose another --amazonec2-instance-type, or leave --amazonec2-ami out",
        )
    least = images.root_size(image)
    if least > data["RootSize"]:
        raise PreflightFailed(
            f"the image {image['ImageId']} needs a root disk of {least} GB",
            resolution=f"give --amazonec2-root-size {least} or more",
        )
    data["AMI"] = image["ImageId"]
    data["DeviceName"] = data.get("DeviceName") or image.get("RootDeviceName") or "/dev/sda1"


def _newest(api: Api, data: dict[str, Any]) -> dict[str, Any] | None:
    wanted = images.DISTRIBUTIONS[data["Distribution"]]
    architecture = data["Architecture"]
    try:
        return api.image(api.parameter(wanted.parameter_for(architecture)))
    except errors.CloudError:  # not every account may read parameters, not every cloud has them
        return images.newest(
            [
                image
                for image in api.images(wanted.owners, wanted.pattern_for(architecture))
                if image.get("Architecture") == architecture
            ]
        )


def _network(api: Api, data: dict[str, Any]) -> None:
    """Settle VpcId and Subnets, the subnets to be tried in turn."""
    if data.get("SubnetId"):
        subnet = api.subnet(data["SubnetId"])
        if not subnet:
            raise PreflightFailed(
                f"there is no subnet {data['SubnetId']} in {data['Region']}", resolution="check --amazonec2-subnet-id"
            )
        if data.get("VpcId") and subnet["VpcId"] != data["VpcId"]:
            raise PreflightFailed(
                f"the subnet {subnet['SubnetId']} is in the VPC {subnet['VpcId']}, not in {data['VpcId']}",
                resolution="make --amazonec2-vpc-id and --amazonec2-subnet-id agree, or leave the VPC out",
            )
        found = [subnet]
        data["VpcId"] = subnet["VpcId"]
    else:
        vpc = api.vpc(data["VpcId"]) if data.get("VpcId") else api.default_vpc()
        if not vpc:
            raise PreflightFailed(
                f"{data['Region']} has no default VPC" if not data.get("VpcId") else f"there is no VPC {data['VpcId']}",
                resolution="give --amazonec2-vpc-id or --amazonec2-subnet-id (`aws ec2 create-default-vpc` makes one)",
            )
        data["VpcId"] = vpc["VpcId"]
        found = sorted(api.subnets(vpc["VpcId"]), key=lambda s: (not s.get("DefaultForAz"), s["AvailabilityZone"]))
    data["Subnets"] = _suitable(api, data, found)


def _suitable(api: Api, data: dict[str, Any], subnets: list[dict[str, Any]]) -> list[str]:
    zone = config.zone(data)
    in_zone = [subnet for subnet in subnets if zone in ("", subnet["AvailabilityZone"])]
    if not in_zone:
        raise PreflightFailed(
            f"the VPC {data['VpcId']} has no subnet" + (f" in {zone}" if zone else ""),
            resolution="give --amazonec2-subnet-id, or another --amazonec2-zone",
        )
    fixed = data.get("FixedPrivateIP")
    if fixed:
        in_zone = [one for one in in_zone if one.get("CidrBlock") and firewall.inside(fixed, one["CidrBlock"])]
    if not in_zone:
        raise PreflightFailed(
            f"no subnet of the VPC {data['VpcId']} holds the address {fixed}",
            resolution="check --amazonec2-private-ip-address and --amazonec2-subnet-id",
        )
    in_zone = _of_family(data, in_zone)
    offered = api.zones_offering(data["InstanceType"])
    good = [subnet for subnet in in_zone if subnet["AvailabilityZone"] in offered]
    if not good:
        raise PreflightFailed(
            f"the instance type {data['InstanceType']} is not offered in "
            + ", ".join(sorted({subnet["AvailabilityZone"] for subnet in in_zone})),
            details="it is offered in " + (", ".join(sorted(offered)) or "no zone of this region"),
            resolution="choose another --amazonec2-instance-type, --amazonec2-zone or --amazonec2-subnet-id",
        )
    roomy = [one for one in good if one.get("Ipv6Native") or one.get("AvailableIpAddressCount", 1) > 0]
    if not roomy:
        raise PreflightFailed(
            "no address is free in " + ", ".join(subnet["SubnetId"] for subnet in good),
            resolution="give another --amazonec2-subnet-id or --amazonec2-zone",
        )
    return [str(subnet["SubnetId"]) for subnet in roomy]


def _of_family(data: dict[str, Any], subnets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that can give the addresses that are wanted: of IPv6, of IPv4, or of both."""
    count = int(data.get("Ipv6AddressCount") or 0)
    good = [subnet for subnet in subnets if not count or _has_ipv6(subnet)]
    if not good:
        ids = ", ".join(subnet["SubnetId"] for subnet in subnets)
        raise PreflightFailed(
            f"there are no IPv6 addresses in {ids}: no IPv6 block is associated",
            resolution="leave --amazonec2-ipv6-address-count out, or give a subnet that has one with "
            "--amazonec2-subnet-id (`aws ec2 associate-subnet-cidr-block --ipv6-cidr-block` adds one)",
        )
    found = [subnet for subnet in good if not subnet.get("Ipv6Native") or data.get("Ipv6AddressOnly")]
    if not found:
        raise PreflightFailed(
            "there are no IPv4 addresses in " + ", ".join(subnet["SubnetId"] for subnet in good),
            resolution="give another --amazonec2-subnet-id, or --amazonec2-ipv6-address-only with "
            "--amazonec2-ipv6-address-count 1",
        )
    return found


def _has_ipv6(subnet: dict[str, Any]) -> bool:
    blocks = subnet.get("Ipv6CidrBlockAssociationSet") or []
    return any(block.get("Ipv6CidrBlockState", {}).get("State") in ("associated", "associating") for block in blocks)


def _key(api: Api, data: dict[str, Any]) -> None:
    if data.get("ExistingKey") and not api.key_pairs(name=data["KeyName"]):
        raise PreflightFailed(
            f"EC2 has no key pair {data['KeyName']} in {data['Region']}",
            resolution="check --amazonec2-keypair-name, or leave it out: the key of --amazonec2-ssh-keypath is sent",
        )


def _quota(api: Api, data: dict[str, Any], size: dict[str, Any]) -> None:
    """Refuse when the account's vCPUs are used up; an account that may not read its quotas learns it from EC2."""
    table = SPOT if data.get("RequestSpotInstance") else ON_DEMAND
    code = table.get(family(data["InstanceType"]))
    needed = int(size.get("VCpuInfo", {}).get("DefaultVCpus") or 0)
    if not code or not needed:
        return
    try:
        limit = api.quota(code)
        if needed <= limit and limit >= 1000:
            return  # not worth counting
        used = sum(
            int(instance.get("CpuOptions", {}).get("CoreCount") or 1)
            * int(instance.get("CpuOptions", {}).get("ThreadsPerCore") or 1)
            for instance in api.running()
            if table.get(family(str(instance.get("InstanceType")))) == code
            and (instance.get("InstanceLifecycle") == "spot") == bool(data.get("RequestSpotInstance"))
        )
    except errors.CloudError:
        return
    if used + needed > limit:
        raise PreflightFailed(
            f"{data['InstanceType']} needs {needed} vCPUs, and {used} of the account's {limit:g} are in use",
            details=f"quota {code} of EC2 in {data['Region']}",
            resolution="choose a smaller --amazonec2-instance-type, or ask for more under Service Quotas",
        )


def family(instance_type: str) -> str:
    """The letters before the generation: t3.small -> t, vt1.3xlarge -> vt."""
    letters = instance_type.partition(".")[0]
    digits = next((at for at, character in enumerate(letters) if character.isdigit()), len(letters))
    return letters[:digits]


def _dry_run(api: Api, data: dict[str, Any], name: str) -> None:
    """Let EC2 itself judge the request, without making anything: permissions, profile, disk, addresses."""
    wanted = {**data, "SubnetId": data["Subnets"][0], "SecurityGroupIds": []}
    try:
        api.run_instance(requests.request(wanted, requests.tags(data, name, "dry-run"), dry=True))
    except DryRun:
        return
