"""What EC2's codes mean, and what to do about each kind of error.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
"""

from __future__ import annotations

import re

from machine.drivers.cloud import errors


class DryRun(errors.CloudError):
    """The answer to a call with DryRun that would have worked."""


class LaunchMismatch(errors.CloudError):
    """A repeated request differs from the first one with its token."""


ADVICE: dict[errors.ErrorClass, str] = {
    errors.CloudError: "",
    errors.BadCredentials: (
        "give --amazonec2-access-key with --amazonec2-secret-key, or --amazonec2-profile; `aws sso login` "
        "renews a session"
    ),
    errors.NotAllowed: (
        "let the account do that (an IAM policy that allows the action), or use another with --amazonec2-profile"
    ),
    errors.NoCapacity: "try another --amazonec2-zone or --amazonec2-instance-type, or later",
    errors.QuotaExceeded: (
        "choose a smaller --amazonec2-instance-type, remove what is not needed, or ask for more in the console under "
        "Service Quotas, Amazon EC2"
    ),
    errors.BadImage: "give an image of this region with --amazonec2-ami, or leave that out",
    errors.BadSize: "choose another --amazonec2-instance-type (the region's types: aws ec2 describe-instance-types)",
    errors.BadNetwork: (
        "check --amazonec2-vpc-id, --amazonec2-subnet-id, --amazonec2-zone and --amazonec2-private-ip-address"
    ),
    errors.BadFirewall: "check --amazonec2-security-group",
    errors.BadKey: "check --amazonec2-keypair-name and --amazonec2-ssh-keypath",
    errors.BadVolume: (
        "check --amazonec2-root-size, --amazonec2-volume-type, --amazonec2-volume-iops, "
        "--amazonec2-volume-throughput, --amazonec2-device-name and --amazonec2-kms-key"
    ),
    errors.BadUserData: "check --amazonec2-userdata",
    errors.RateLimited: "try again in a minute; --amazonec2-retries repeats more often",
    errors.Unreachable: "check the network, any proxy, --amazonec2-region and --amazonec2-endpoint",
    errors.ApiTimeout: "try again; --amazonec2-api-timeout waits longer",
    errors.ServiceBroken: "try again later; https://health.aws.amazon.com tells of known trouble",
    errors.Protected: (
        "lift its protection: aws ec2 modify-instance-attribute --no-disable-api-termination --instance-id ID"
    ),
    LaunchMismatch: "machine rm removes what there is; then create it anew",
}
CODES: dict[errors.ErrorClass, str] = {
    DryRun: "DryRunOperation",
    errors.BadCredentials: """AuthFailure InvalidClientTokenId SignatureDoesNotMatch UnrecognizedClientException
        ExpiredToken ExpiredTokenException RequestExpired IncompleteSignature MissingAuthenticationToken
        InvalidAccessKeyId InvalidSignatureException TokenRefreshRequired Blocked""",
    errors.NotAllowed: """UnauthorizedOperation AccessDenied AccessDeniedException OptInRequired PendingVerification
        UnauthorizedAccess NotAuthorized""",
    errors.NoCapacity: """InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacity
        InsufficientAddressCapacity InsufficientFreeAddressesInSubnet InsufficientReservedInstanceCapacity
        SpotMaxPriceTooLow InsufficientVolumeCapacity InsufficientCapacityOnHost Unsupported
        UnsupportedHostConfiguration""",
    errors.QuotaExceeded: """InstanceLimitExceeded VcpuLimitExceeded VolumeLimitExceeded SecurityGroupLimitExceeded
        RulesPerSecurityGroupLimitExceeded SecurityGroupsPerInstanceLimitExceeded
        SecurityGroupsPerInterfaceLimitExceeded NetworkInterfaceLimitExceeded MaxSpotInstanceCountExceeded
        KeyPairLimitExceeded PrivateIpAddressLimitExceeded AddressLimitExceeded MaxIOPSLimitExceeded TagLimitExceeded
        ResourceLimitExceeded ResourceCountExceeded""",
    errors.BadImage: "InvalidAMIID. InvalidAMIName. InvalidAMIAttributeItemValue NonEBSInstance",
    errors.BadSize: """InvalidInstanceType InvalidInstanceTypeName InvalidInstanceAttributeValue
        InstanceCreditSpecification.""",
    errors.BadNetwork: """InvalidVpcID. InvalidVpcId. InvalidSubnetID. InvalidSubnetId. InvalidSubnet
        VPCIdNotSpecified MissingInput DefaultVpcDoesNotExist InvalidAvailabilityZone InvalidIPAddress.
        InvalidPrivateIpAddress. InvalidAddress. InvalidZone. InvalidNetworkInterface.""",
    errors.BadFirewall: """InvalidGroup.NotFound InvalidGroupId. InvalidSecurityGroupID. InvalidSecurityGroupId.
        InvalidGroup.InUse""",
    errors.BadKey: "InvalidKeyPair.NotFound InvalidKeyPair.Format InvalidKey.Format",
    errors.BadVolume: """InvalidBlockDeviceMapping InvalidVolume. InvalidSnapshot. InvalidKmsKey
        KMSKeyNotAccessibleFault InvalidParameterDependency UnknownVolumeType InvalidVolumeType""",
    errors.NameTaken: "InvalidKeyPair.Duplicate InvalidGroup.Duplicate InvalidPermission.Duplicate",
    errors.RateLimited: """RequestLimitExceeded Throttling ThrottlingException ThrottledException RequestThrottled
        RequestThrottledException TooManyRequestsException SlowDown BandwidthLimitExceeded""",
    errors.ServiceBroken: """InternalError InternalFailure InternalServerError ServerInternal ServiceUnavailable
        ServiceUnavailableException Unavailable 500 502 503 504""",
    errors.MachineGone: "InvalidInstanceID.",
    errors.InUse: "DependencyViolation ResourceInUse",
    errors.WrongState: "IncorrectInstanceState IncorrectState IncorrectSpotRequestState UnsupportedOperation",
    errors.Protected: "OperationNotPermitted",
    LaunchMismatch: "IdempotentParameterMismatch IdempotentInstanceTerminated",
    errors.BadRequest: """InvalidParameter InvalidParameterValue InvalidParameterCombination InvalidRequest
        InvalidInput MissingParameter UnknownParameter InvalidTag InvalidTagKey. InvalidUserData. InvalidUserID.
        InvalidIamInstanceProfileArn. InvalidParameters ValidationError InvalidAction""",
}
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
ERRORS = errors.ErrorTable("amazonec2", advice=ADVICE, codes=CODES)


def classify(code: str) -> errors.ErrorClass:
    """The kind that a code stands for."""
    return ERRORS.by_code(code) or errors.CloudError


def translate(code: str, text: str, doing: str) -> errors.CloudError:
    """The error for EC2's answer `code` to `doing` (the call's name)."""
    kind = classify(code) if code else errors.ServiceBroken
    error = ERRORS.refusal(kind, f"EC2 refused {doing}: {_in_words(code)}", code, text, code=code)
    flag = flag_of(text) if kind in (errors.BadRequest, errors.BadVolume, errors.CloudError) else ""
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


def _in_words(code: str) -> str:
    return errors.code_in_words(code).replace(".", ": ").replace(":  ", ": ").strip() or "no code"
