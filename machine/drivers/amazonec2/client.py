"""One function per call to Amazon's API, by boto3. Nothing of boto3 leaves this module: its errors become ours.

A first client costs 0.2 s and more, so it is built at the first call. Throttled and failed calls are repeated by the
SDK itself (its "standard" mode, with growing pauses) as often as the record says.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from machine.drivers.amazonec2.config import Config
from machine.drivers.amazonec2.errors import ERRORS, classify, translate
from machine.drivers.amazonec2.options import REGION
from machine.drivers.cloud import errors

Json = dict[str, Any]
CONNECT_SECONDS = 10
OPTIONAL = ("sts", "ssm", "service-quotas")  # a private network may have no way to them: not asked for long
MOST_PAGES = 200  # of one list, up to 1000 entries each
ID_TAG = "machine-id"  # on everything that is made for one machine
MADE_TAG = "made-by"  # on what machines share
MADE_BY = "machine"


class Api:
    """EC2 as one account sees it in one region; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._session: Any = None
        self._clients: Json = {}

    def region(self) -> str:
        """The region that is asked: the record's, else the profile's, else docker-machine's default."""
        return str(self.config.region or self._account().region_name or REGION)

    # what there is

    def account(self) -> str:
        """The id of the account that is asked; "" where nobody tells, as on clouds that only speak EC2's API."""
        try:
            return str(self._ask("get_caller_identity", "Account", service="sts"))
        except errors.CloudError:
            return ""

    def zones(self) -> list[str]:
        """Names of the region's zones that are in service."""
        return [str(zone["ZoneName"]) for zone in self._list("availability_zones", {"state": ["available"]})]

    def instance_type(self, name: str) -> Json:
        """InstanceTypeInfo. Raises BadSize if there is none."""
        return _first(self._list("instance_types", InstanceTypes=[name]))

    def zones_offering(self, instance_type: str) -> list[str]:
        """Names of the zones where the type exists."""
        where = {"instance-type": [instance_type]}
        found = self._list("instance_type_offerings", where, LocationType="availability-zone")
        return [str(offer["Location"]) for offer in found]

    def parameter(self, name: str) -> str:
        """The value of a public SSM parameter. Raises CloudError if there is none."""
        return str(self._ask("get_parameter", "Parameter", service="ssm", Name=name)["Value"])

    def image(self, image_id: str) -> Json:
        """Image. Raises BadImage if there is none."""
        return _first(self._list("images", ImageIds=[image_id]))

    def images(self, owners: Sequence[str], pattern: str) -> list[Json]:
        """Images of these accounts whose name fits."""
        return self._list("images", {"name": [pattern]}, Owners=list(owners))

    def vpc(self, vpc_id: str) -> Json:
        """Vpc, for "" the region's default one, {} if there is none. Raises BadNetwork if there is none of that id."""
        return _first(self._list("vpcs", VpcIds=[vpc_id]) if vpc_id else self._list("vpcs", {"is-default": ["true"]}))

    def subnet(self, subnet_id: str) -> Json:
        """Subnet. Raises BadNetwork if there is none."""
        return _first(self._list("subnets", SubnetIds=[subnet_id]))

    def subnets(self, vpc_id: str) -> list[Json]:
        """The VPC's subnets that are in service."""
        return self._list("subnets", {"vpc-id": [vpc_id], "state": ["available"]})

    def groups(self, names: Sequence[str], vpc_id: str) -> list[Json]:
        """SecurityGroups among `names` (names or ids) that exist in the VPC."""
        ids = [name for name in names if name.startswith("sg-")]
        found: list[Json] = []
        for key, wanted in (("group-name", [name for name in names if name not in ids]), ("group-id", ids)):
            if wanted:
                found += self._list("security_groups", {key: wanted, "vpc-id": [vpc_id]})
        return found

    def key_pairs(self, *, name: str = "", machine_id: str = "") -> list[Json]:
        """KeyPairInfos, by name or by tag."""
        return self._list("key_pairs", {"key-name": [name]} if name else {f"tag:{ID_TAG}": [machine_id]})

    def quota(self, code: str) -> float:
        """The value of a quota of EC2. Raises CloudError if EC2 does not say."""
        found = self._ask("get_service_quota", "Quota", service="service-quotas", ServiceCode="ec2", QuotaCode=code)
        return float(found["Value"])

    def instances(self, *, instance_id: str = "", machine_id: str = "") -> list[Json]:
        """Instances by id or by tag, terminated ones too as long as EC2 remembers them; [] if there is none."""
        wanted = {"instance-id": [instance_id]} if instance_id else {f"tag:{ID_TAG}": [machine_id]}
        return _instances(self._ask("describe_instances", "Reservations", Filters=_filters(wanted)))

    def running(self) -> list[Json]:
        """Every instance of the account in this region that counts against its quota."""
        pages = self._client("ec2").get_paginator("describe_instances")
        counted = {"instance-state-name": ["pending", "running"]}
        found: list[Json] = []
        with errors.sdk_errors(_convert, "describe instances"):
            for number, page in enumerate(pages.paginate(Filters=_filters(counted))):
                if number >= MOST_PAGES:
                    brief = "EC2's answer to describe instances does not end"
                    raise ERRORS.error(errors.ServiceBroken, brief, f"more than {MOST_PAGES} pages")
                found += page.get("Reservations", [])
        return _instances(found)

    def interfaces(self, group_id: str) -> list[Json]:
        """NetworkInterfaces that have the group."""
        return self._list("network_interfaces", {"group-id": [group_id]})

    def console(self, instance_id: str) -> str:
        """What the instance wrote to its console, as far as EC2 has fetched it."""
        return str(self._call("get_console_output", InstanceId=instance_id).get("Output") or "")

    # what is made

    def import_key_pair(self, name: str, public_key: str, tags: Sequence[Mapping[str, str]]) -> str:
        """The id of a new key pair. Raises NameTaken if there is one of that name."""
        made = self._call(
            "import_key_pair",
            KeyName=name,
            PublicKeyMaterial=public_key.encode(),
            TagSpecifications=[{"ResourceType": "key-pair", "Tags": list(tags)}],
        )
        return str(made.get("KeyPairId") or "")

    def create_group(self, name: str, vpc_id: str) -> str:
        """The id of a new security group that machines share. Raises NameTaken if there is one of that name."""
        shared = [{"Key": "Name", "Value": name}, {"Key": MADE_TAG, "Value": MADE_BY}]
        request: Json = {
            "GroupName": name,
            "Description": "Docker hosts: ssh and the engine behind TLS",
            "VpcId": vpc_id,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": shared}],
        }
        return str(self._ask("create_security_group", "GroupId", **request))

    def authorize(self, group_id: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Add rules to a group. Raises NameTaken if one is there already."""
        self._call("authorize_security_group_ingress", GroupId=group_id, IpPermissions=list(rules))

    def run_instance(self, request: Mapping[str, Any]) -> Json:
        """The new Instance, its reservation's id under ReservationId.

        Raises DryRun if the request says so and would do.
        """
        made = self._call("run_instances", **request)
        if not made.get("Instances"):
            raise ERRORS.error(errors.ServiceBroken, "the answer to run instances makes no sense", str(made))
        return {**made["Instances"][0], "ReservationId": made.get("ReservationId", "")}

    # what is done with it

    def start(self, instance_id: str) -> None:
        """Switch it on; it is on its way afterwards."""
        self._call("start_instances", InstanceIds=[instance_id])

    def stop(self, instance_id: str, *, force: bool) -> None:
        """Switch it off, with `force` without asking its system."""
        self._call("stop_instances", InstanceIds=[instance_id], Force=force)

    def reboot(self, instance_id: str) -> None:
        """Ask its system to reboot."""
        self._call("reboot_instances", InstanceIds=[instance_id])

    def set_instance_type(self, instance_id: str, instance_type: str) -> None:
        """Change the type of an instance that is stopped."""
        self._call("modify_instance_attribute", InstanceId=instance_id, InstanceType={"Value": instance_type})

    def volume(self, volume_id: str) -> Json:
        """Volume. Raises BadVolume if there is none."""
        return _first(self._list("volumes", VolumeIds=[volume_id]))

    def grow_volume(self, volume_id: str, gigabytes: int) -> None:
        """Ask for a larger volume."""
        self._call("modify_volume", VolumeId=volume_id, Size=gigabytes)

    def modification(self, volume_id: str) -> str:
        """The state of the last modification of a volume; "" if it was never modified."""
        try:
            found = self._list("volumes_modifications", VolumeIds=[volume_id])
        except errors.BadVolume:  # none in the last days
            return ""
        return str(_first(found).get("ModificationState") or "")

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those that are unknown or ended already do not matter."""
        for instance_id in instance_ids:
            with contextlib.suppress(errors.MachineGone):
                self._call("terminate_instances", InstanceIds=[instance_id])

    def delete_key_pair(self, name: str) -> None:
        """Delete it; EC2 does not mind if it is unknown."""
        with contextlib.suppress(errors.BadKey):
            self._call("delete_key_pair", KeyName=name)

    def delete_group(self, group_id: str) -> None:
        """Delete it; absent is success, InUse when something has it."""
        with contextlib.suppress(errors.BadFirewall):
            self._call("delete_security_group", GroupId=group_id)

    # how it is asked

    def _account(self) -> Any:
        if self._session is None:
            with errors.sdk_needed("amazonec2", "boto3", ERRORS):
                import boto3
            config = self.config
            lasting = config.access_key.startswith("AKIA")  # such keys have no token: one is left over from others
            with errors.sdk_errors(_convert, "the credentials"):
                self._session = boto3.Session(
                    botocore_session=_knowing_models(),
                    aws_access_key_id=config.access_key or None,
                    aws_secret_access_key=config.secret_key or None,
                    aws_session_token=None if lasting else config.session_token or None,
                    profile_name=None if config.access_key else config.profile or None,
                )
        return self._session

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import botocore.config

            config = self.config
            repeats, patience = (
                (min(config.retries, 2), 3) if service in OPTIONAL else (config.retries, CONNECT_SECONDS)
            )
            with errors.sdk_errors(_convert, "the credentials"):
                self._clients[service] = self._account().client(
                    service,
                    region_name=self.region(),
                    endpoint_url=_endpoint(config) or None,
                    use_ssl=not config.insecure,
                    config=botocore.config.Config(
                        retries={"mode": "standard", "total_max_attempts": max(repeats, 0) + 1},
                        connect_timeout=patience,
                        read_timeout=config.api_timeout,
                        user_agent_extra="machine",
                    ),
                )
            self._clients[service].meta.events.register_first("needs-retry.ec2.RunInstances", _no_room_is_final)
        return self._clients[service]

    def _call(self, operation: str, *, service: str = "ec2", **request: Any) -> Json:
        client = getattr(self._client(service), operation)
        with errors.sdk_errors(_convert, operation.replace("_", " ")):
            answer: Json = client(**request)
        return answer

    def _ask(self, operation: str, key: str, *, service: str = "ec2", **request: Any) -> Any:
        """`key` of the answer. Raises ServiceBroken if it is not in there, as when something else than EC2 answered."""
        answer = self._call(operation, service=service, **request)
        if key not in answer:
            raise ERRORS.error(
                errors.ServiceBroken,
                f"the answer to {operation.replace('_', ' ')} makes no sense",
                f"it has no {key}",
            )
        return answer[key]

    def _list(self, what: str, where: Mapping[str, Sequence[str]] | None = None, **request: Any) -> list[Json]:
        """The answer to describe_WHAT, of all that `where` (filter -> its values) leaves."""
        key = "".join(word.capitalize() for word in what.split("_"))
        if where:
            request["Filters"] = _filters(where)
        return list(self._ask(f"describe_{what}", key, **request))


def _convert(error: Exception, doing: str) -> errors.CloudError | None:
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    if isinstance(error, sdk.ClientError):
        answer = error.response.get("Error", {})
        return translate(str(answer.get("Code") or ""), str(answer.get("Message") or ""), doing)
    if isinstance(error, (ResponseParserError, *errors.MISREAD)):
        return ERRORS.error(errors.ServiceBroken, f"EC2's answer to {doing} makes no sense", str(error))
    return _unanswered(error, sdk, doing) if isinstance(error, sdk.BotoCoreError) else None


def _unanswered(error: Exception, sdk: Any, doing: str) -> errors.CloudError:
    if isinstance(error, sdk.ReadTimeoutError | sdk.ConnectTimeoutError):
        return ERRORS.error(errors.ApiTimeout, f"EC2 did not answer {doing} in time", str(error))
    if isinstance(error, sdk.HTTPClientError):
        return ERRORS.error(errors.Unreachable, "EC2 cannot be reached", str(error))
    if isinstance(error, sdk.ParamValidationError | sdk.NoRegionError):
        return ERRORS.error(errors.BadRequest, f"{doing} cannot be asked like this", str(error))
    if "Endpoint" in type(error).__name__:
        return ERRORS.error(errors.Unreachable, "EC2 cannot be reached", str(error))
    return ERRORS.error(errors.BadCredentials, "there are no credentials that can be used", str(error))


def _no_room_is_final(response: Any, **_: Any) -> None:
    """EC2 says with status 500 that it has no room, and the SDK would ask for the same place over and over."""
    if response is not None:
        code = (response[1] or {}).get("Error", {}).get("Code", "")
        if classify(str(code)) is errors.NoCapacity:
            response[0].status_code = 400


def _knowing_models() -> Any:
    """A session with what others of this process have read of the SDK's descriptions: that is most of its start."""
    import botocore.session

    session = botocore.session.get_session()
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Any:
    import botocore.session

    return botocore.session.get_session().get_component("data_loader")


def _endpoint(config: Config) -> str:
    if not config.endpoint or "://" in config.endpoint:
        return config.endpoint
    return f"{'http' if config.insecure else 'https'}://{config.endpoint}"


def _filters(where: Mapping[str, Sequence[str]]) -> list[Json]:
    return [{"Name": name, "Values": list(values)} for name, values in where.items()]


def _first(found: Sequence[Json]) -> Json:
    return found[0] if found else {}


def _instances(reservations: Sequence[Mapping[str, Any]]) -> list[Json]:
    return [
        {**instance, "ReservationId": reservation.get("ReservationId", "")}
        for reservation in reservations
        for instance in reservation.get("Instances", [])
    ]
