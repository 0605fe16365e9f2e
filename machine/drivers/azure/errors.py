"""One class per way in which Azure says no, and the table from ARM's codes to them.

Codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors. The cloud's
own text is in `details`; `resolution` is what to do about it.
"""

from __future__ import annotations

import re

from machine.errors import DriverError

_NAMESPACE = re.compile(r"Microsoft\.[A-Za-z]+")
_FEATURE = re.compile(r"feature '?(Microsoft\.[A-Za-z]+)/(\w+)")


class AzureError(DriverError):
    """Azure refused, in a way that has no class of its own. `code` is ARM's, `status` HTTP's."""

    code = ""
    status = 0
    advice = ""

    @classmethod
    def advise(cls, text: str) -> str:  # noqa: ARG003 (for those that are told more by it)
        """What to do about it, given Azure's text."""
        return cls.advice


class BadCredentials(AzureError):
    """No credentials, or Azure does not accept them."""

    advice = (
        "`az login`, or --azure-login device-code, or a service principal (az ad sp create-for-rbac --role Contributor "
        "--scopes /subscriptions/ID) by --azure-client-id, --azure-client-secret and --azure-tenant-id"
    )


class NotAllowed(AzureError):
    """The account may not do that."""

    advice = "give the account a role that may (Contributor on the resource group or the subscription)"


class BadSubscription(AzureError):
    """No such subscription, or it is switched off."""

    advice = "check --azure-subscription-id (az account list)"


class NotRegistered(AzureError):
    """The subscription has never used this part of Azure, which has to be switched on first, once.

    Not done by the driver: it changes the subscription, takes minutes, and needs a right on all of it.
    https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider
    """

    advice = "az provider register --wait --namespace Microsoft.Compute (and Microsoft.Network), once per subscription"

    @classmethod
    def advise(cls, text: str) -> str:
        """The command for the namespace, or the feature of one, that Azure's text names."""
        feature = _FEATURE.search(text)
        if feature:
            return f"az feature register --namespace {feature[1]} --name {feature[2]}, and wait until it is Registered"
        namespace = _NAMESPACE.search(text)
        return (
            f"az provider register --wait --namespace {namespace[0]}, once per subscription"
            if namespace
            else cls.advice
        )


class NoCapacity(AzureError):
    """Azure has no such machine to give at the moment."""

    advice = "try another --azure-size, --azure-location or --azure-availability-zone, or later"


class QuotaExceeded(AzureError):
    """The subscription's limit is reached."""

    advice = "remove what is not needed, choose another --azure-location, or ask for more in the portal under Quotas"


class BadImage(AzureError):
    """No such image, or it cannot be used here."""

    advice = "check --azure-image (az vm image list --all --location REGION --publisher P), or leave it out"


class PlanNotAccepted(AzureError):
    """The image is sold by somebody, and its terms are not accepted."""

    advice = (
        "az vm image terms accept --urn PUBLISHER:OFFER:SKU:VERSION, once per subscription; or another --azure-image"
    )


class BadSize(AzureError):
    """No such size, or not with what else is asked for."""

    advice = "choose another --azure-size (az vm list-sizes --location REGION)"


class BadLocation(AzureError):
    """No such region, or not for this subscription."""

    advice = "check --azure-location (az account list-locations)"


class BadNetwork(AzureError):
    """The virtual network, subnet or address cannot be used."""

    advice = "check --azure-vnet, --azure-subnet, --azure-subnet-prefix and --azure-private-ip-address"


class BadAvailabilitySet(AzureError):
    """The availability set does not take the machine."""

    advice = "give another --azure-availability-set, or --azure-availability-set none"


class BadDisk(AzureError):
    """The disk cannot be made as asked."""

    advice = "check --azure-disk-size and --azure-storage-type"


class NameTaken(AzureError):
    """Something of that name exists and is not ours."""

    advice = "choose another name for the machine, or another --azure-dns or --azure-resource-group"


class RateLimited(AzureError):
    """Too many calls, also after waiting and repeating."""

    advice = "try again in some minutes; --azure-retries repeats more often"


class Unreachable(AzureError):
    """The API cannot be reached."""

    advice = "check the network, any proxy, --azure-endpoint and --azure-ca-cert"


class ApiTimeout(Unreachable):
    """The API did not answer in time."""

    advice = "try again; --azure-api-timeout waits longer"


class ServiceBroken(AzureError):
    """The API answered with an error of its own."""

    advice = "try again later; https://status.azure.com tells of known trouble"


class Gone(AzureError):
    """Azure does not know the thing."""

    advice = "check the names that were given"


class InUse(AzureError):
    """Something else still needs it."""

    advice = "try again once that is gone"


class Busy(AzureError):
    """The thing is in the middle of something else."""

    advice = "try again when it has settled: machine status says where it is"


class Locked(AzureError):
    """A lock of the administrator's holds it."""

    advice = "have the lock removed: az lock list --resource-group GROUP"


class ForbiddenByPolicy(AzureError):
    """A policy of the organisation forbids it."""

    advice = "the message names the policy; change the flags to fit it, or ask whoever made it"


class BadRequest(AzureError):
    """The values do not fit together."""

    advice = "change what the message names; `machine create -d azure --help` lists the flags"


TABLE: tuple[tuple[type[AzureError], str], ...] = (
    (
        BadCredentials,
        "AuthenticationFailed InvalidAuthenticationToken InvalidAuthenticationTokenTenant ExpiredAuthenticationToken "
        "InvalidAuthenticationTokenSubscription AuthenticationFailedMissingToken InvalidAuthenticationInfo",
    ),
    (NotAllowed, "AuthorizationFailed LinkedAuthorizationFailed Forbidden AuthorizationPermissionMismatch"),
    (
        BadSubscription,
        "SubscriptionNotFound InvalidSubscriptionId DisabledSubscription ReadOnlyDisabledSubscription",
    ),
    (
        NotRegistered,
        "SubscriptionNotRegistered MissingSubscriptionRegistration MissingRegistrationForLocation "
        "SubscriptionNotRegisteredForFeature",
    ),
    (
        NoCapacity,
        "SkuNotAvailable AllocationFailed ZonalAllocationFailed OverconstrainedAllocationRequest "
        "OverconstrainedZonalAllocationRequest NoZonesAvailable SpotEvicted",
    ),
    (
        QuotaExceeded,
        "QuotaExceeded PublicIPCountLimitReached PublicIpAddressCountLimitReached IPv4StandardSkuPublicIpCountLimit"
        "Reached NetworkSecurityGroupCountLimitReached NetworkInterfaceCountLimitReached ResourceQuotaExceeded "
        "ResourceGroupQuotaExceeded ResourceCountExceedsLimitDueToTemplate "
        "AvailabilitySetCountLimitReached SubscriptionRequestsThrottledQuota VirtualNetworkCountLimitReached",
    ),
    (
        BadImage,
        "PlatformImageNotFound ImageNotFound InvalidImage GalleryImageNotFound ArtifactNotFound ImageVersionDeprecated",
    ),
    (
        PlanNotAccepted,
        "MarketplacePurchaseEligibilityFailed ResourcePurchaseValidationFailed ResourcePurchaseCanceled "
        "VMMarketplaceInvalidInput VMImagePlanMissing",
    ),
    (BadSize, "InvalidVmSize VMSizeDoesntSupportPremiumStorage InvalidHardwareProfile VMSizeIsNotPermitted"),
    (
        BadLocation,
        "LocationNotAvailableForResourceType LocationNotAvailableForResourceGroup InvalidLocation "
        "InvalidResourceLocation NoRegisteredProviderForLocation NoRegisteredProviderFound "
        "InvalidResourceGroupLocation",
    ),
    (
        BadNetwork,
        "PrivateIPAddressNotInAnySubnet PrivateIPAddressInUse PrivateIPAddressNotInSubnet SubnetIsFull "
        "PrivateIPAddressInReservedRange NetcfgInvalidSubnet NetcfgSubnetRangesOverlap "
        "NetcfgSubnetRangeOutsideVnet InvalidCIDRNotation InvalidAddressPrefixFormat InvalidResourceReference "
        "VnetAddressSpaceOverlaps SubnetDoesNotHaveEnoughFreeAddresses",
    ),
    (BadDisk, "InvalidDiskSize DiskSizeTooSmall StorageAccountTypeNotSupported InvalidStorageAccountType"),
    (NameTaken, "DnsRecordInUse DomainNameLabelInUse InvalidDomainNameLabel ResourceGroupExists NameUnavailable"),
    (
        RateLimited,
        "TooManyRequests SubscriptionRequestsThrottled ResourceRequestsThrottled ReadRequestsThrottled "
        "OperationThrottled RequestThrottled 429",
    ),
    (
        ServiceBroken,
        "InternalServerError InternalExecutionError ServerTimeout GatewayTimeout BadGateway ServiceUnavailable "
        "ResourceReadFailed InternalError 500 502 503 504",
    ),
    (
        Gone,
        "ResourceNotFound NotFound ResourceGroupNotFound ParentResourceNotFound DeploymentNotFound",
    ),
    (
        InUse,
        "InUseSubnetCannotBeDeleted InUseRouteTableCannotBeDeleted PublicIPAddressCannotBeDeleted NicInUse "
        "NetworkSecurityGroupInUseByNetworkInterface InUseNetworkSecurityGroupCannotBeDeleted "
        "NicReservedForAnotherVm NicInUseWithPrivateEndpoint PublicIPAddressInUse "
        "InUseVirtualNetworkCannotBeDeleted CannotDeleteAvailabilitySet DiskInUse",
    ),
    (
        Busy,
        "AnotherOperationInProgress Conflict RetryableError RetryableErrorDueToAnotherOperation "
        "ReferencedResourceNotProvisioned OperationPreempted ResourceGroupBeingDeleted ResourceBeingDeleted "
        "AttachDiskWhileBeingDetached VMBeingDeleted CanceledAndSupersededDueToAnotherOperation OperationCanceled",
    ),
    (Locked, "ScopeLocked"),
    (ForbiddenByPolicy, "RequestDisallowedByPolicy RequestDisallowedByAzure"),
    (
        BadRequest,
        "InvalidParameter BadRequest InvalidRequestFormat InvalidRequestContent PropertyChangeNotAllowed "
        "InvalidResourceName InvalidTemplate PropertyNotSupported MissingRequiredParameter InvalidTagName "
        "InvalidApiVersionParameter SecurityRuleInvalidPortRange SecurityRuleInvalidAddressPrefix",
    ),
)
_BY_CODE = {code: cls for cls, codes in TABLE for code in codes.split()}
_BY_STATUS: dict[int, type[AzureError]] = {
    400: BadRequest,
    401: BadCredentials,
    403: NotAllowed,
    404: Gone,
    408: ServiceBroken,
    409: Busy,
    429: RateLimited,
}
_BY_WORDS: tuple[tuple[str, str, type[AzureError]], ...] = (  # codes that stand for many things: code, words, class
    ("OperationNotAllowed", "quota", QuotaExceeded),
    ("OperationNotAllowed", "availability set cannot be deleted", InUse),
    ("OperationNotAllowed", "non-managed availability set", BadAvailabilitySet),
    ("BadRequest", "non-managed availability set", BadAvailabilitySet),
    ("OperationNotAllowed", "is attached", InUse),
    ("OperationNotAllowed", "being deleted", Busy),
    ("InvalidParameter", "vmsize", BadSize),
    ("InvalidParameter", "vm size", BadSize),
    ("InvalidParameter", "imagereference", BadImage),
    ("InvalidParameter", "disk", BadDisk),
    ("BadRequest", "not found", Gone),
)
LONGEST = 800  # characters of the cloud's text that are shown


def classify(code: str, text: str, status: int) -> type[AzureError]:
    """The class of an answer: by its code, where that is vague by words of its text, else by HTTP's status."""
    for vague, words, cls in _BY_WORDS:
        if code == vague and words in text.lower():
            return cls
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.endswith(("NotFound", "DoesNotExist")) and status == 404:
        return Gone
    if code.endswith(("LimitReached", "QuotaExceeded", "LimitExceeded")):
        return QuotaExceeded
    if code.startswith("InUse") or code.endswith(("InUse", "CannotBeDeleted")):
        return InUse
    return _BY_STATUS.get(status) or (ServiceBroken if status >= 500 else AzureError)


def translate(code: str, text: str, status: int, doing: str) -> AzureError:
    """The error for ARM's answer to `doing` (the call's name); what it said goes into the details."""
    cls = classify(code, text, status)
    shown = text.strip()[:LONGEST]
    said = code or (f"HTTP status {status}" if status else "no reason given")
    error = cls(f"Azure refused {doing}: {_plain(said)}", details=f"{said}: {shown}" if shown else said)
    error.code, error.status, error.resolution = code, status, cls.advise(text)
    return error


def unanswered(cls: type[AzureError], brief: str, text: str) -> AzureError:
    """The error for a call that got no answer that makes sense."""
    return cls(brief, details=text.strip()[:LONGEST], resolution=cls.advice)


def _plain(code: str) -> str:
    """A code as words: SkuNotAvailable -> sku not available."""
    if " " in code:
        return code
    return "".join(
        f" {c.lower()}" if c.isupper() and not p.isupper() else c for p, c in zip(" " + code, code, strict=False)
    ).strip()
