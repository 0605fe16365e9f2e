"""The `Cloud` that driver amazonec2 is tried on: moto_server behind a fault proxy.

The proxy adds three promises of EC2 that moto does not keep: a repeated ClientToken gets the first answer again, an
instance may be terminated twice, and a network interface gets as many IPv6 addresses as are asked for it (moto reads
the number for the instance only, and wraps the state of a subnet's IPv6 block in one word too many). https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from typing import Any

from tests.drivers.amazonec2.moto import ENVIRON, KEYS, REGION, Moto
from tests.drivers.fault_proxy import Answer, Call, FaultProxy

ERROR = (
    "<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error>"
    "</Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
)
WRAPPED = re.compile(rb"<state>\{(?:'|&apos;|&#x?27;)State[^<]*?([a-z]+)(?:'|&apos;|&#x?27;)\}</state>")


def form(call: Call) -> dict[str, str]:
    """The parameters of a call in EC2's query protocol."""
    return dict(urllib.parse.parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def naming(call: Call) -> str:
    """RunInstances, GetParameter, ...; the dry run of one has (dry) behind it."""
    target = call.headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    found = form(call)
    return found.get("Action", call.path) + (" (dry)" if found.get("DryRun") == "true" else "")


def refusal(code: str, text: str = "no", status: int = 400) -> Answer:
    """An error as EC2 words it."""
    return Answer(status, ERROR.format(code, text).encode(), {"Content-Type": "text/xml"})


class Ec2FaultProxy(FaultProxy):
    """Keeps the three promises."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream, naming)
        self._answers: dict[str, Answer] = {}

    def forward(self, call: Call) -> Answer:
        parameters = form(call)
        token = parameters.get("ClientToken", "")
        if parameters.get("Action") == "TerminateInstances":
            token = "terminate " + parameters["InstanceId.1"]
        if token in self._answers:
            return self._answers[token]
        if count := parameters.get("NetworkInterface.1.Ipv6AddressCount"):
            call = dataclasses.replace(call, body=call.body + f"&Ipv6AddressCount={count}".encode())
        found = super().forward(call)
        if parameters.get("Action") == "DescribeSubnets":
            found = dataclasses.replace(found, body=WRAPPED.sub(rb"<state>\1</state>", found.body))
        if token and found.status == 200:
            self._answers[token] = found
        return found


class Ec2:
    """A fresh account."""

    driver_name = "amazonec2"
    making = "RunInstances"
    secrets = KEYS[1:]
    sdk = ("boto3", "botocore")
    pausing = "botocore.endpoint"
    impatient: dict[str, Any] = {"amazonec2-retries": -1, "amazonec2-api-timeout": 1}  # noqa: RUF012
    throttled = refusal("RequestLimitExceeded", "Request limit exceeded.", 503)
    broken = refusal("InternalError", "An internal error has occurred", 500)

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        moto.reset()
        self.proxy = Ec2FaultProxy(moto.url)

    def options(self) -> dict[str, Any]:
        return {"amazonec2-endpoint": self.proxy.url, "amazonec2-region": REGION}

    def credentials(self) -> dict[str, str]:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return {**dict(zip(names, KEYS, strict=True)), **ENVIRON}

    def strangers(self) -> dict[str, str]:
        """A role in another account, with a session token of its own."""
        role = {"RoleArn": "arn:aws:iam::222222222222:role/other", "RoleSessionName": "other"}
        made = self.moto.client("sts").assume_role(**role)["Credentials"]
        keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        return {**keys, "AWS_SESSION_TOKEN": made["SessionToken"], **ENVIRON}

    def listing(self) -> Any:
        return self.moto.listing()

    def machines(self) -> int:
        return len(self.moto.listing()["instances"])

    def changes(self, call: str) -> bool:
        return not call.startswith(("Describe", "Get")) and "(dry)" not in call

    def ports_open(self) -> set[str]:
        ec2 = self.moto.client()
        instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        nics = [nic for i in instances if i["State"]["Name"] != "terminated" for nic in i["NetworkInterfaces"]]
        used = {group["GroupId"] for nic in nics for group in nic["Groups"]}
        groups = ec2.describe_security_groups()["SecurityGroups"]
        rules = [rule for group in groups if group["GroupId"] in used for rule in group["IpPermissions"]]
        return {
            f"{first}/{rule['IpProtocol']}" if first == last else f"{first}-{last}/{rule['IpProtocol']}"
            for rule in rules
            for first, last in [(rule.get("FromPort"), rule.get("ToPort"))]
            if "0.0.0.0/0" in [source["CidrIp"] for source in rule["IpRanges"]]
        }

    def forget(self) -> None:
        self.moto.reset()
