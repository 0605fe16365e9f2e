"""One class per way in which EC2 says no, and the table from its codes to them.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html. A code ending in a dot stands for
all that begin with it. The cloud's own text is in `details`; `resolution` is what to do about it.
"""

from __future__ import annotations

import re

from machine.errors import DriverError


class AmazonError(DriverError):
    """EC2 refused, in a way that has no class of its own. `code` is EC2's."""

    code = ""
    advice = ""


class BadCredentials(AmazonError):
    """No credentials, or EC2 does not accept them."""

    advice = (
        "give --amazonec2-access-key with --amazonec2-secret-key, or --amazonec2-profile; "
        "`aws sso login` renews a session"
    )


class NotAllowed(AmazonError):
    """The account may not do that."""

    advice = "let the account do that (an IAM policy that allows the action), or use another with --amazonec2-profile"


class NoCapacity(AmazonError):
    """EC2 has no such machine to give at the moment."""

    advice = "try another --amazonec2-zone or --amazonec2-instance-type, or later"


class QuotaExceeded(AmazonError):
    """The account's limit is reached."""

    advice = "remove what is not needed, or ask for more in the console under Service Quotas, Amazon EC2"


class BadImage(AmazonError):
    """No such image, or it cannot be used here."""

    advice = "give an image of this region with --amazonec2-ami, or leave that out"


class BadSize(AmazonError):
    """No such instance type, or not with what else is asked for."""

    advice = "choose another --amazonec2-instance-type (the region's types: aws ec2 describe-instance-types)"


class BadNetwork(AmazonError):
    """No such VPC, subnet, address or zone."""

    advice = "check --amazonec2-vpc-id, --amazonec2-subnet-id, --amazonec2-zone and --amazonec2-private-ip-address"


class BadGroup(AmazonError):
    """No such security group."""

    advice = "check --amazonec2-security-group"


class BadKeyPair(AmazonError):
    """No such key pair, or the key is none that EC2 takes."""

    advice = "check --amazonec2-keypair-name and --amazonec2-ssh-keypath"


class BadDisk(AmazonError):
    """The root disk cannot be made as asked."""

    advice = (
        "check --amazonec2-root-size, --amazonec2-volume-type, --amazonec2-volume-iops, --amazonec2-volume-throughput,"
        " --amazonec2-device-name and --amazonec2-kms-key"
    )


class NameTaken(AmazonError):
    """Something of that name exists and is not ours."""

    advice = "choose another name for the machine"


class RateLimited(AmazonError):
    """Too many calls, also after waiting and repeating."""

    advice = "try again in a minute; --amazonec2-retries repeats more often"


class Unreachable(AmazonError):
    """The API cannot be reached."""

    advice = "check the network, any proxy, --amazonec2-region and --amazonec2-endpoint"


class ApiTimeout(Unreachable):
    """The API did not answer in time."""

    advice = "try again; --amazonec2-api-timeout waits longer"


class ServiceBroken(AmazonError):
    """The API answered with an error of its own."""

    advice = "try again later; https://health.aws.amazon.com tells of known trouble"


class InstanceGone(AmazonError):
    """EC2 does not know the instance."""


class InUse(AmazonError):
    """Something else still needs what was to be removed."""

    advice = "try again once that is gone"


class WrongState(AmazonError):
    """The instance is in the middle of something else."""

    advice = "try again when it has settled: machine status says where it is"


class Protected(AmazonError):
    """The instance is protected against this."""

    advice = "lift its protection: aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id ID"


class BadRequest(AmazonError):
    """The values do not fit together."""

    advice = "change what the message names; `machine create -d amazonec2 --help` lists the flags"


class LaunchMismatch(AmazonError):
    """A repeated request differs from the first one with its token."""

    advice = "machine rm removes what there is; then create it anew"


class DryRun(AmazonError):
    """It would have worked."""


TABLE: tuple[tuple[type[AmazonError], str], ...] = (
    (DryRun, "DryRunOperation"),
    (
        BadCredentials,
        "AuthFailure InvalidClientTokenId SignatureDoesNotMatch UnrecognizedClientException ExpiredToken "
        "ExpiredTokenException RequestExpired IncompleteSignature MissingAuthenticationToken InvalidAccessKeyId "
        "InvalidSignatureException TokenRefreshRequired Blocked",
    ),
    (
        NotAllowed,
        "UnauthorizedOperation AccessDenied AccessDeniedException OptInRequired PendingVerification "
        "UnauthorizedAccess NotAuthorized",
    ),
    (
        NoCapacity,
        "InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacity InsufficientAddressCapacity "
        "InsufficientFreeAddressesInSubnet InsufficientReservedInstanceCapacity SpotMaxPriceTooLow "
        "InsufficientVolumeCapacity InsufficientCapacityOnHost Unsupported UnsupportedHostConfiguration",
    ),
    (
        QuotaExceeded,
        "InstanceLimitExceeded VcpuLimitExceeded VolumeLimitExceeded SecurityGroupLimitExceeded "
        "RulesPerSecurityGroupLimitExceeded SecurityGroupsPerInstanceLimitExceeded "
        "SecurityGroupsPerInterfaceLimitExceeded NetworkInterfaceLimitExceeded MaxSpotInstanceCountExceeded "
        "KeyPairLimitExceeded PrivateIpAddressLimitExceeded AddressLimitExceeded MaxIOPSLimitExceeded "
        "TagLimitExceeded ResourceLimitExceeded ResourceCountExceeded",
    ),
    (BadImage, "InvalidAMIID. InvalidAMIName. InvalidAMIAttributeItemValue NonEBSInstance"),
    (BadSize, "InvalidInstanceType InvalidInstanceTypeName InvalidInstanceAttributeValue InstanceCreditSpecification."),
    (
        BadNetwork,
        "InvalidVpcID. InvalidVpcId. InvalidSubnetID. InvalidSubnetId. InvalidSubnet VPCIdNotSpecified MissingInput "
        "DefaultVpcDoesNotExist InvalidAvailabilityZone InvalidIPAddress. InvalidPrivateIpAddress. "
        "InvalidAddress. InvalidZone. InvalidNetworkInterface.",
    ),
    (
        BadGroup,
        "InvalidGroup.NotFound InvalidGroupId. InvalidSecurityGroupID. InvalidSecurityGroupId. InvalidGroup.InUse",
    ),
    (BadKeyPair, "InvalidKeyPair.NotFound InvalidKeyPair.Format InvalidKey.Format"),
    (
        BadDisk,
        "InvalidBlockDeviceMapping InvalidVolume. InvalidSnapshot. InvalidKmsKey KMSKeyNotAccessibleFault "
        "InvalidParameterDependency UnknownVolumeType InvalidVolumeType",
    ),
    (NameTaken, "InvalidKeyPair.Duplicate InvalidGroup.Duplicate InvalidPermission.Duplicate"),
    (
        RateLimited,
        "RequestLimitExceeded Throttling ThrottlingException ThrottledException RequestThrottled "
        "RequestThrottledException TooManyRequestsException SlowDown BandwidthLimitExceeded",
    ),
    (
        ServiceBroken,
        "InternalError InternalFailure InternalServerError ServerInternal ServiceUnavailable "
        "ServiceUnavailableException Unavailable 500 502 503 504",
    ),
    (InstanceGone, "InvalidInstanceID."),
    (InUse, "DependencyViolation ResourceInUse"),
    (WrongState, "IncorrectInstanceState IncorrectState IncorrectSpotRequestState UnsupportedOperation"),
    (Protected, "OperationNotPermitted"),
    (LaunchMismatch, "IdempotentParameterMismatch IdempotentInstanceTerminated"),
    (
        BadRequest,
        "InvalidParameter InvalidParameterValue InvalidParameterCombination InvalidRequest InvalidInput "
        "MissingParameter UnknownParameter InvalidTag InvalidTagKey. InvalidUserData. InvalidUserID. "
        "InvalidIamInstanceProfileArn. InvalidParameters ValidationError InvalidAction",
    ),
)
_BY_CODE = {code: cls for cls, codes in TABLE for code in codes.split()}
PARAMETERS = {  # of RunInstances and the calls around it -> flag
    "IamInstanceProfile": "iam-instance-profile",
    "InstanceProfile": "iam-instance-profile",
    "VolumeType": "volume-type",
    "VolumeSize": "root-size",
    "Iops": "volume-iops",
    "Throughput": "volume-throughput",
    "DeviceName": "device-name",
    "KmsKeyId": "kms-key",
    "ImageId": "ami",
    "InstanceType": "instance-type",
    "SubnetId": "subnet-id",
    "VpcId": "vpc-id",
    "AvailabilityZone": "zone",
    "PrivateIpAddress": "private-ip-address",
    "Ipv6AddressCount": "ipv6-address-count",
    "SecurityGroup": "security-group",
    "GroupId": "security-group",
    "GroupName": "security-group",
    "KeyName": "keypair-name",
    "UserData": "userdata",
    "TagKey": "tags",
    "TagValue": "tags",
    "Tag": "tags",
    "SpotPrice": "spot-price",
    "MaxPrice": "spot-price",
    "HttpTokens": "http-tokens",
    "HttpEndpoint": "http-endpoint",
    "HttpPutResponseHopLimit": "metadata-token-response-hop-limit",
    "HttpProtocolIpv6": "http-protocol-ipv6",
    "CidrIp": "allow-from",
    "Cidr": "allow-from",
}
LONGEST = 500  # characters of the cloud's text that are shown


def classify(code: str) -> type[AmazonError]:
    """The class of a code."""
    return _BY_CODE.get(code) or _BY_CODE.get(code.partition(".")[0] + ".") or AmazonError


def translate(code: str, text: str, doing: str) -> AmazonError:
    """The error for EC2's answer `code` to `doing` (the call's name); what it said goes into the details."""
    cls = classify(code)
    shown = text.strip()[:LONGEST]
    error = cls(f"EC2 refused {doing}: {_plain(code)}", details=f"{code}: {shown}" if shown else code)
    error.code, error.resolution = code, cls.advice
    flag = flag_of(text) if cls in (BadRequest, BadDisk, AmazonError) else ""
    if flag:
        error.resolution = f"check --amazonec2-{flag}"
    return error


def flag_of(text: str) -> str:
    """The flag (without --amazonec2-) of the parameter that EC2's text names first, "" if it names none of ours."""
    found = [(match.start(), flag) for name, flag in PARAMETERS.items() if (match := _parameter(name).search(text))]
    return min(found)[1] if found else ""


def _parameter(name: str) -> re.Pattern[str]:
    """A parameter as EC2 writes it: volumeType, VolumeType, `volume type`, BlockDeviceMapping.1.Ebs.VolumeType."""
    parts = re.findall(r"[A-Z][a-z0-9]*", name)
    return re.compile(r"(?<![A-Za-z])" + r"[ _-]?".join(parts) + r"s?(?![A-Za-z])", re.IGNORECASE)


def unanswered(cls: type[AmazonError], brief: str, text: str) -> AmazonError:
    """The error for a call that got no answer at all."""
    return cls(brief, details=text.strip()[:LONGEST], resolution=cls.advice)


def _plain(code: str) -> str:
    """A code as words: InsufficientInstanceCapacity -> insufficient instance capacity."""
    words = "".join(
        f" {c.lower()}" if c.isupper() and not p.isupper() else c for p, c in zip(" " + code, code, strict=False)
    )
    return words.replace(".", ": ").replace(":  ", ": ").strip() or "no code"
