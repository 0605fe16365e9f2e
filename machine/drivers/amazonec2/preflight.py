"""The read-only look before a create: does what was asked for exist, and which of it is meant.

What is found (region, image, device, VPC, subnets) is written into the config, so that create need not ask
again. Every refusal names the flag.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

from machine.drivers.amazonec2 import groups, images, requests
from machine.drivers.amazonec2.client import Api, Json
from machine.drivers.amazonec2.config import Config
from machine.drivers.amazonec2.errors import ERRORS, DryRun
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors, quota
from machine.drivers.cloud.errors import refuse
from machine.drivers.cloud.firewall import reaches
from machine.drivers.cloud.quota import Quota

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


def preflight(api: Api, config: Config, ctx: DriverContext) -> None:
    """Ask, and settle in the config what was left open; PreflightFailed or a CloudError."""
    config.region = api.region()
    zones = api.zones()  # the first call: credentials and region are good when it answers
    config.account = api.account()
    if config.zone and config.zone not in zones:
        advice = f"give --amazonec2-zone one of {', '.join(zones)}, or leave it out"
        refuse(f"there is no zone {config.zone} in service in {config.region}", advice)
    size = _size(api, config)
    _image(api, config, size)
    _network(api, config)
    groups.check_groups(api, config, ctx)
    _key(api, config)
    _quota(api, config, size)
    _dry_run(api, config, ctx.name)


def _size(api: Api, config: Config) -> Json:
    size = api.instance_type(config.instance_type)
    config.architecture = "arm64" if "arm64" in _processors(size) else "x86_64"
    return size


def _processors(size: Json) -> list[str]:
    return list(size.get("ProcessorInfo", {}).get("SupportedArchitectures", []))


def _image(api: Api, config: Config, size: Json) -> None:
    image = api.image(config.ami) if config.ami else _newest(api, config)
    if not image:
        brief = f"there is no image {config.ami or config.distribution} in {config.region}"
        refuse(brief, "give an image of this region with --amazonec2-ami")
    supported = _processors(size)
    if supported and image.get("Architecture", supported[0]) not in supported:
        wanted = f"the instance type {config.instance_type} for {', '.join(supported)}"
        brief = f"the image {image['ImageId']} is for {image['Architecture']}, {wanted}"
        refuse(brief, "choose another --amazonec2-instance-type, or leave --amazonec2-ami out")
    least = images.root_size(image)
    if least > config.root_size:
        brief = f"the image {image['ImageId']} needs a root disk of {least} GB"
        refuse(brief, f"give --amazonec2-root-size {least} or more")
    config.ami = image["ImageId"]
    config.device_name = config.device_name or image.get("RootDeviceName") or "/dev/sda1"


def _newest(api: Api, config: Config) -> Json | None:
    wanted = images.DISTRIBUTIONS[config.distribution]
    architecture = config.architecture
    try:
        return api.image(api.parameter(wanted.parameter_for(architecture)))
    except errors.CloudError:  # not every account may read parameters, not every cloud has them
        found = api.images(wanted.owners, wanted.pattern_for(architecture))
        return images.newest([image for image in found if image.get("Architecture") == architecture])


def _network(api: Api, config: Config) -> None:
    """Settle VpcId and Subnets, the subnets to be tried in turn."""
    if config.subnet_id:
        subnet = api.subnet(config.subnet_id)
        if not subnet:
            refuse(f"there is no subnet {config.subnet_id} in {config.region}", "check --amazonec2-subnet-id")
        if config.vpc_id and subnet["VpcId"] != config.vpc_id:
            brief = f"the subnet {subnet['SubnetId']} is in the VPC {subnet['VpcId']}, not in {config.vpc_id}"
            refuse(brief, "make --amazonec2-vpc-id and --amazonec2-subnet-id agree, or leave the VPC out")
        found = [subnet]
        config.vpc_id = subnet["VpcId"]
    else:
        vpc = api.vpc(config.vpc_id)
        if not vpc:
            refuse(
                f"{config.region} has no default VPC" if not config.vpc_id else f"there is no VPC {config.vpc_id}",
                "give --amazonec2-vpc-id or --amazonec2-subnet-id (`aws ec2 create-default-vpc` makes one)",
            )
        config.vpc_id = vpc["VpcId"]
        found = sorted(api.subnets(vpc["VpcId"]), key=lambda s: (not s.get("DefaultForAz"), s["AvailabilityZone"]))
    config.subnets = _suitable(api, config, found)


def _suitable(api: Api, config: Config, subnets: list[Json]) -> list[str]:
    """The ids of the subnets in which the instance can be; PreflightFailed names the flag that leaves none."""
    zone, fixed, kind = config.zone, config.fixed_private_ip, config.instance_type
    offered = api.zones_offering(kind)

    def keep(fits: Callable[[Json], object], brief: str, resolution: str, details: str = "") -> None:
        """Go on with those that fit. In `brief`, `IDS` and `ZONES` stand for those of the ones that do not."""
        nonlocal subnets
        ids = ", ".join(str(subnet["SubnetId"]) for subnet in subnets)
        zones = ", ".join(sorted({str(subnet["AvailabilityZone"]) for subnet in subnets}))
        subnets = [subnet for subnet in subnets if fits(subnet)]
        if not subnets:
            refuse(brief.replace("IDS", ids).replace("ZONES", zones), resolution, details)

    keep(
        lambda one: zone in ("", one["AvailabilityZone"]),
        f"the VPC {config.vpc_id} has no subnet" + (f" in {zone}" if zone else ""),
        "give --amazonec2-subnet-id, or another --amazonec2-zone",
    )
    keep(
        lambda one: not fixed or (one.get("CidrBlock") and reaches(fixed, [one["CidrBlock"]])),
        f"no subnet of the VPC {config.vpc_id} holds the address {fixed}",
        "check --amazonec2-private-ip-address and --amazonec2-subnet-id",
    )
    keep(
        lambda one: not config.ipv6_address_count or _has_ipv6(one),
        "there are no IPv6 addresses in IDS: no IPv6 block is associated",
        "leave --amazonec2-ipv6-address-count out, or give a subnet that has one with "
        "--amazonec2-subnet-id (`aws ec2 associate-subnet-cidr-block --ipv6-cidr-block` adds one)",
    )
    keep(
        lambda one: not one.get("Ipv6Native") or config.ipv6_only,
        "there are no IPv4 addresses in IDS",
        "give another --amazonec2-subnet-id, or --amazonec2-ipv6-address-only with --amazonec2-ipv6-address-count 1",
    )
    keep(
        lambda one: one["AvailabilityZone"] in offered,
        f"the instance type {kind} is not offered in ZONES",
        "choose another --amazonec2-instance-type, --amazonec2-zone or --amazonec2-subnet-id",
        "it is offered in " + (", ".join(sorted(offered)) or "no zone of this region"),
    )
    keep(
        lambda one: one.get("Ipv6Native") or one.get("AvailableIpAddressCount", 1) > 0,
        "no address is free in IDS",
        "give another --amazonec2-subnet-id or --amazonec2-zone",
    )
    return [str(subnet["SubnetId"]) for subnet in subnets]


def _has_ipv6(subnet: Json) -> bool:
    blocks = subnet.get("Ipv6CidrBlockAssociationSet") or []
    return any(block.get("Ipv6CidrBlockState", {}).get("State") in ("associated", "associating") for block in blocks)


def _key(api: Api, config: Config) -> None:
    if config.existing_key and not api.key_pairs(name=config.key_name):
        advice = "check --amazonec2-keypair-name, or leave it out: the key of --amazonec2-ssh-keypath is sent"
        refuse(f"EC2 has no key pair {config.key_name} in {config.region}", advice)


def _quota(api: Api, config: Config, size: Json) -> None:
    """Refuse when the account's vCPUs are used up; an account that may not read its quotas learns it from EC2."""
    table = SPOT if config.spot else ON_DEMAND
    code = table.get(family(config.instance_type))
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
            and (instance.get("InstanceLifecycle") == "spot") == config.spot
        )
    except errors.CloudError:
        return
    vcpus = Quota("vCPUs", used, int(limit), needed)
    quota.check(ERRORS, "the account", [vcpus], config.instance_type, f"quota {code} of EC2 in {config.region}")


def family(instance_type: str) -> str:
    """The letters before the generation: t3.small -> t, vt1.3xlarge -> vt."""
    letters = instance_type.partition(".")[0]
    digits = next((at for at, character in enumerate(letters) if character.isdigit()), len(letters))
    return letters[:digits]


def _dry_run(api: Api, config: Config, name: str) -> None:
    """Let EC2 itself judge the request, without making anything: permissions, profile, disk, addresses."""
    wanted = dataclasses.replace(config, subnet_id=config.subnets[0], security_group_ids=[])
    with contextlib.suppress(DryRun):
        api.run_instance(requests.request(wanted, requests.tags(config, name, "dry-run"), dry=True))
