"""One function per call to Amazon's API, by boto3. Nothing of boto3 leaves this module: its errors become ours.

A first client costs 0.2 s and more, so it is built at the first call. Throttled and failed calls are repeated by the
SDK itself (its "standard" mode, with growing pauses) as often as the record says.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from machine.drivers.amazonec2.errors import ERRORS, classify, translate
from machine.drivers.amazonec2.options import REGION
from machine.drivers.cloud import errors
from machine.errors import PreflightFailed

CONNECT_SECONDS = 10
OPTIONAL = ("sts", "ssm", "service-quotas")  # a private network may have no way to them: not asked for long
MOST_PAGES = 200  # of one list, up to 1000 entries each
ID_TAG = "machine-id"  # on everything that is made for one machine
MADE_TAG = "made-by"  # on what machines share
MADE_BY = "machine"


class Api:
    """EC2 as one account sees it in one region; `data` is a Driver object, read at the first call."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def region(self) -> str:
        """The region that is asked: the record's, else the profile's, else docker-machine's default."""
        return str(self.data.get("Region") or self._account().region_name or REGION)

    # what there is

    def account(self) -> str:
        """The id of the account that is asked; "" where nobody tells, as on clouds that only speak EC2's API."""
        try:
            return str(self._ask("get_caller_identity", "Account", service="sts"))
        except errors.CloudError:
            return ""

    def zones(self) -> list[str]:
        """Names of the region's zones that are in service."""
        found = self._ask("describe_availability_zones", "AvailabilityZones", Filters=[_is("state", "available")])
        return [str(zone["ZoneName"]) for zone in found]

    def instance_type(self, name: str) -> dict[str, Any]:
        """InstanceTypeInfo; BadSize."""
        return _first(self._ask("describe_instance_types", "InstanceTypes", InstanceTypes=[name]))

    def zones_offering(self, instance_type: str) -> list[str]:
        """Names of the zones where the type exists."""
        found = self._ask(
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[_is("instance-type", instance_type)],
        )
        return [str(offer["Location"]) for offer in found]

    def parameter(self, name: str) -> str:
        """The value of a public SSM parameter; CloudError."""
        return str(self._ask("get_parameter", "Parameter", service="ssm", Name=name)["Value"])

    def image(self, image_id: str) -> dict[str, Any]:
        """Image; BadImage."""
        return _first(self._ask("describe_images", "Images", ImageIds=[image_id]))

    def images(self, owners: Sequence[str], pattern: str) -> list[dict[str, Any]]:
        """Images of these accounts whose name fits."""
        return list(self._ask("describe_images", "Images", Owners=list(owners), Filters=[_is("name", pattern)]))

    def vpc(self, vpc_id: str) -> dict[str, Any]:
        """Vpc; BadNetwork."""
        return _first(self._ask("describe_vpcs", "Vpcs", VpcIds=[vpc_id]))

    def default_vpc(self) -> dict[str, Any]:
        """The region's default Vpc, {} if there is none."""
        return _first(self._ask("describe_vpcs", "Vpcs", Filters=[_is("is-default", "true")]))

    def subnet(self, subnet_id: str) -> dict[str, Any]:
        """Subnet; BadNetwork."""
        return _first(self._ask("describe_subnets", "Subnets", SubnetIds=[subnet_id]))

    def subnets(self, vpc_id: str) -> list[dict[str, Any]]:
        """The VPC's subnets that are in service."""
        wanted = [_is("vpc-id", vpc_id), _is("state", "available")]
        return list(self._ask("describe_subnets", "Subnets", Filters=wanted))

    def groups(self, names: Sequence[str], vpc_id: str) -> list[dict[str, Any]]:
        """SecurityGroups among `names` (names or ids) that exist in the VPC."""
        found: list[dict[str, Any]] = []
        for key, wanted in (
            ("group-name", [name for name in names if not name.startswith("sg-")]),
            ("group-id", [name for name in names if name.startswith("sg-")]),
        ):
            if wanted:
                found += self._ask(
                    "describe_security_groups", "SecurityGroups", Filters=[_is(key, *wanted), _is("vpc-id", vpc_id)]
                )
        return found

    def key_pairs(self, *, name: str = "", machine_id: str = "") -> list[dict[str, Any]]:
        """KeyPairInfos, by name or by tag."""
        wanted = _is("key-name", name) if name else _is(f"tag:{ID_TAG}", machine_id)
        return list(self._ask("describe_key_pairs", "KeyPairs", Filters=[wanted]))

    def quota(self, code: str) -> float:
        """The value of a quota of EC2; CloudError."""
        found = self._ask("get_service_quota", "Quota", service="service-quotas", ServiceCode="ec2", QuotaCode=code)
        return float(found["Value"])

    def instances(self, *, instance_id: str = "", machine_id: str = "") -> list[dict[str, Any]]:
        """Instances by id or by tag, terminated ones too as long as EC2 remembers them; [] if there is none."""
        wanted = _is("instance-id", instance_id) if instance_id else _is(f"tag:{ID_TAG}", machine_id)
        return _instances(self._ask("describe_instances", "Reservations", Filters=[wanted]))

    def running(self) -> list[dict[str, Any]]:
        """Every instance of the account in this region that counts against its quota."""
        return self._pages(
            "describe_instances", "Reservations", Filters=[_is("instance-state-name", "pending", "running")]
        )

    def interfaces(self, group_id: str) -> list[dict[str, Any]]:
        """NetworkInterfaces that have the group."""
        return list(self._ask("describe_network_interfaces", "NetworkInterfaces", Filters=[_is("group-id", group_id)]))

    def console(self, instance_id: str) -> str:
        """What the instance wrote to its console, as far as EC2 has fetched it."""
        return str(self._call("get_console_output", InstanceId=instance_id).get("Output") or "")

    # what is made

    def import_key_pair(self, name: str, public_key: str, tags: Sequence[Mapping[str, str]]) -> str:
        """The id of a new key pair; NameTaken."""
        made = self._call(
            "import_key_pair",
            KeyName=name,
            PublicKeyMaterial=public_key.encode(),
            TagSpecifications=[{"ResourceType": "key-pair", "Tags": list(tags)}],
        )
        return str(made.get("KeyPairId") or "")

    def create_group(self, name: str, vpc_id: str) -> str:
        """The id of a new security group that machines share; NameTaken."""
        shared = [{"Key": "Name", "Value": name}, {"Key": MADE_TAG, "Value": MADE_BY}]
        made = self._ask(
            "create_security_group",
            "GroupId",
            GroupName=name,
            Description="Docker hosts: ssh and the engine behind TLS",
            VpcId=vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": shared}],
        )
        return str(made)

    def authorize(self, group_id: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Add rules to a group; NameTaken when one is there already."""
        self._call("authorize_security_group_ingress", GroupId=group_id, IpPermissions=list(rules))

    def run_instance(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The new Instance, its reservation's id under ReservationId; DryRun if the request says so and would do."""
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

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those that are unknown or ended already do not matter."""
        for instance_id in instance_ids:
            try:
                self._call("terminate_instances", InstanceIds=[instance_id])
            except errors.MachineGone:
                continue

    def delete_key_pair(self, name: str) -> None:
        """Delete it; EC2 does not mind if it is unknown."""
        try:
            self._call("delete_key_pair", KeyName=name)
        except errors.BadKey:
            return

    def delete_group(self, group_id: str) -> None:
        """Delete it; absent is success, InUse when something has it."""
        try:
            self._call("delete_security_group", GroupId=group_id)
        except errors.BadFirewall:
            return

    # how it is asked

    def _account(self) -> Any:
        if self._session is None:
            boto3 = _sdk()
            data = self.data
            token = str(data.get("SessionToken") or "")
            if str(data.get("AccessKey") or "").startswith("AKIA"):
                token = ""  # keys that last have none: this one is left over from other keys
            with _translated("the credentials"):
                self._session = boto3.Session(
                    botocore_session=_knowing_models(),
                    aws_access_key_id=data.get("AccessKey") or None,
                    aws_secret_access_key=data.get("SecretKey") or None,
                    aws_session_token=token or None,
                    profile_name=None if data.get("AccessKey") else data.get("Profile") or None,
                )
        return self._session

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import botocore.config

            data = self.data
            repeats = 5 if data.get("RetryCount") is None else int(data["RetryCount"])
            patience = CONNECT_SECONDS
            if service in OPTIONAL:
                repeats, patience = min(repeats, 2), 3
            with _translated("the credentials"):
                self._clients[service] = self._account().client(
                    service,
                    region_name=self.region(),
                    endpoint_url=_endpoint(data) or None,
                    use_ssl=not data.get("DisableSSL"),
                    config=botocore.config.Config(
                        retries={"mode": "standard", "total_max_attempts": max(repeats, 0) + 1},
                        connect_timeout=patience,
                        read_timeout=int(data.get("ApiTimeout") or 30),
                        user_agent_extra="machine",
                    ),
                )
            self._clients[service].meta.events.register_first("needs-retry.ec2.RunInstances", _no_room_is_final)
        return self._clients[service]

    def _call(self, operation: str, *, service: str = "ec2", **request: Any) -> dict[str, Any]:
        client = getattr(self._client(service), operation)
        with _translated(operation.replace("_", " ")):
            answer: dict[str, Any] = client(**request)
        return answer

    def _ask(self, operation: str, key: str, *, service: str = "ec2", **request: Any) -> Any:
        """`key` of the answer; ServiceBroken when it is not in there, as when something else than EC2 answered."""
        answer = self._call(operation, service=service, **request)
        if key not in answer:
            raise ERRORS.error(
                errors.ServiceBroken,
                f"the answer to {operation.replace('_', ' ')} makes no sense",
                f"it has no {key}",
            )
        return answer[key]

    def _pages(self, operation: str, key: str, **request: Any) -> list[dict[str, Any]]:
        pages = self._client("ec2").get_paginator(operation)
        with _translated(operation.replace("_", " ")):
            found = []
            for number, page in enumerate(pages.paginate(**request)):
                if number >= MOST_PAGES:
                    brief = f"EC2's answer to {operation.replace('_', ' ')} does not end"
                    raise ERRORS.error(errors.ServiceBroken, brief, f"more than {MOST_PAGES} pages")
                found += page.get(key, [])
        return _instances(found)


def _translated(doing: str) -> AbstractContextManager[None]:
    """A `with` block out of which come errors of ours instead of the SDK's; `doing` names the call."""
    return errors.sdk_errors(lambda error: _convert(error, doing))


def _convert(error: Exception, doing: str) -> errors.CloudError | None:
    from botocore import exceptions as sdk
    from botocore.parsers import ResponseParserError

    if isinstance(error, sdk.ClientError):
        answer = error.response.get("Error", {})
        return translate(str(answer.get("Code", "")), str(answer.get("Message", "")), doing)
    if isinstance(error, ResponseParserError):
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


def _sdk() -> Any:
    try:
        import boto3
    except ImportError:
        raise PreflightFailed(
            "the driver amazonec2 needs the package boto3",
            resolution="pip install '.[amazonec2]' in the source's directory;"
            " with pipx: pipx inject container-hosts boto3",
        ) from None
    return boto3


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


def _endpoint(data: Mapping[str, Any]) -> str:
    endpoint = str(data.get("Endpoint") or "")
    if not endpoint or "://" in endpoint:
        return endpoint
    return f"{'http' if data.get('DisableSSL') else 'https'}://{endpoint}"


def _is(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


def _first(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return found[0] if found else {}


def _instances(reservations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**instance, "ReservationId": reservation.get("ReservationId", "")}
        for reservation in reservations
        for instance in reservation.get("Instances", [])
    ]
