"""What the codes of Azure's resource manager (ARM) mean, and what to do about each kind of error.

Codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors.
"""

from __future__ import annotations

import re

from machine.drivers.cloud import errors

_NAMESPACE = re.compile(r"Microsoft\.[A-Za-z]+")
_FEATURE = re.compile(r"feature '?(Microsoft\.[A-Za-z]+)/(\w+)")


class BadSubscription(errors.CloudError):
    """No such subscription, or it is switched off."""


class NotRegistered(errors.CloudError):
    """The subscription has never used this part of Azure, which has to be switched on first, once.

    Not done by the driver: it changes the subscription, takes minutes, and needs a right on all of it.
    https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider
    """


class PlanNotAccepted(errors.CloudError):
    """The image is sold by somebody, and its terms are not accepted."""


class BadAvailabilitySet(errors.CloudError):
    """The availability set does not take the machine."""


class ForbiddenByPolicy(errors.CloudError):
    """A policy of the organisation forbids it."""


ADVICE: dict[errors.ErrorClass, str] = {
    errors.CloudError: "",
    errors.BadCredentials: (
        "`az login`, or --azure-login device-code, or a service principal (az ad sp create-for-rbac --role "
        "Contributor --scopes /subscriptions/ID) by --azure-client-id, --azure-client-secret and "
        "--azure-tenant-id"
    ),
    errors.NotAllowed: "give the account a role that may (Contributor on the resource group or the subscription)",
    BadSubscription: "check --azure-subscription-id (az account list)",
    NotRegistered: (
        "az provider register --wait --namespace Microsoft.Compute (and Microsoft.Network), once per subscription"
    ),
    errors.NoCapacity: "try another --azure-size, --azure-location or --azure-availability-zone, or later",
    errors.QuotaExceeded: (
        "remove what is not needed, choose a smaller --azure-size, --azure-no-public-ip or another --azure-location, "
        "or ask for more in the portal under Quotas"
    ),
    errors.BadImage: "check --azure-image (az vm image list --all --location REGION --publisher P), or leave it out",
    PlanNotAccepted: (
        "az vm image terms accept --urn PUBLISHER:OFFER:SKU:VERSION, once per subscription; or another --azure-image"
    ),
    errors.BadSize: "choose another --azure-size (az vm list-sizes --location REGION)",
    errors.BadRegion: "check --azure-location (az account list-locations)",
    errors.BadNetwork: "check --azure-vnet, --azure-subnet, --azure-subnet-prefix and --azure-private-ip-address",
    BadAvailabilitySet: "give another --azure-availability-set, or --azure-availability-set none",
    errors.BadVolume: "check --azure-disk-size and --azure-storage-type",
    errors.NameTaken: "choose another name for the machine, or another --azure-dns or --azure-resource-group",
    errors.BadUserData: "check --azure-custom-data",
    errors.RateLimited: "try again in some minutes; --azure-retries retries_enabled more often",
    errors.Unreachable: "check the network, any proxy, --azure-endpoint and --azure-ca-cert",
    errors.ApiTimeout: "try again; --azure-api-timeout waits longer",
    errors.ServiceBroken: "try again later; https://status.azure.com tells of known trouble",
    errors.NotFound: "check the names that were given",
    errors.Protected: "have the lock removed: az lock list --resource-group RESOURCE_GROUP",
    ForbiddenByPolicy: "the message names the policy; change the flags to fit it, or ask whoever made it",
}
CODES: dict[errors.ErrorClass, str] = {  # beside those that `classify` knows by their ends
    errors.BadCredentials: """AuthenticationFailed InvalidAuthenticationToken InvalidAuthenticationTokenTenant
        ExpiredAuthenticationToken InvalidAuthenticationTokenSubscription AuthenticationFailedMissingToken
        InvalidAuthenticationInfo""",
    errors.NotAllowed: "AuthorizationFailed LinkedAuthorizationFailed Forbidden AuthorizationPermissionMismatch",
    BadSubscription: "SubscriptionNotFound InvalidSubscriptionId DisabledSubscription ReadOnlyDisabledSubscription",
    NotRegistered: """SubscriptionNotRegistered MissingSubscriptionRegistration MissingRegistrationForLocation
        SubscriptionNotRegisteredForFeature""",
    errors.NoCapacity: """SkuNotAvailable AllocationFailed ZonalAllocationFailed OverconstrainedAllocationRequest
        OverconstrainedZonalAllocationRequest NoZonesAvailable SpotEvicted""",
    errors.QuotaExceeded: "ResourceCountExceedsLimitDueToTemplate SubscriptionRequestsThrottledQuota",
    errors.BadImage: """PlatformImageNotFound ImageNotFound InvalidImage GalleryImageNotFound ArtifactNotFound
        ImageVersionDeprecated""",
    PlanNotAccepted: """MarketplacePurchaseEligibilityFailed ResourcePurchaseValidationFailed
        ResourcePurchaseCanceled VMMarketplaceInvalidInput VMImagePlanMissing""",
    errors.BadSize: "InvalidVmSize VMSizeDoesntSupportPremiumStorage InvalidHardwareProfile VMSizeIsNotPermitted",
    errors.BadRegion: """LocationNotAvailableForResourceType LocationNotAvailableForResourceGroup InvalidLocation
        InvalidResourceLocation NoRegisteredProviderForLocation NoRegisteredProviderFound
        InvalidResourceGroupLocation""",
    errors.BadNetwork: """PrivateIPAddressNotInAnySubnet PrivateIPAddressInUse PrivateIPAddressNotInSubnet
        SubnetIsFull PrivateIPAddressInReservedRange NetcfgInvalidSubnet NetcfgSubnetRangesOverlap
        NetcfgSubnetRangeOutsideVnet InvalidCIDRNotation InvalidAddressPrefixFormat InvalidResourceReference
        VnetAddressSpaceOverlaps SubnetDoesNotHaveEnoughFreeAddresses""",
    errors.BadVolume: "InvalidDiskSize DiskSizeTooSmall StorageAccountTypeNotSupported InvalidStorageAccountType",
    errors.NameTaken: "DnsRecordInUse DomainNameLabelInUse InvalidDomainNameLabel ResourceGroupExists NameUnavailable",
    errors.RateLimited: """TooManyRequests SubscriptionRequestsThrottled ResourceRequestsThrottled
        ReadRequestsThrottled OperationThrottled RequestThrottled 429""",
    errors.ServiceBroken: """InternalServerError InternalExecutionError ServerTimeout GatewayTimeout BadGateway
        ServiceUnavailable ResourceReadFailed InternalError 500 502 503 504""",
    errors.NotFound: "ResourceNotFound NotFound ResourceGroupNotFound ParentResourceNotFound DeploymentNotFound",
    errors.InUse: """NetworkSecurityGroupInUseByNetworkInterface NicReservedForAnotherVm NicInUseWithPrivateEndpoint
        CannotDeleteAvailabilitySet""",
    errors.WrongState: """AnotherOperationInProgress Conflict RetryableError RetryableErrorDueToAnotherOperation
        ReferencedResourceNotProvisioned OperationPreempted ResourceGroupBeingDeleted ResourceBeingDeleted
        AttachDiskWhileBeingDetached VMBeingDeleted CanceledAndSupersededDueToAnotherOperation OperationCanceled""",
    errors.Protected: "ScopeLocked",
    ForbiddenByPolicy: "RequestDisallowedByPolicy RequestDisallowedByAzure",
    errors.BadRequest: """InvalidParameter BadRequest InvalidRequestFormat InvalidRequestContent
        PropertyChangeNotAllowed InvalidResourceName InvalidTemplate PropertyNotSupported MissingRequiredParameter
        InvalidTagName InvalidApiVersionParameter SecurityRuleInvalidPortRange SecurityRuleInvalidAddressPrefix""",
}
STATUSES: dict[int, errors.ErrorClass] = {
    **errors.STATUSES,
    400: errors.BadRequest,
    408: errors.ServiceBroken,
    409: errors.WrongState,
}
SENTENCES: tuple[tuple[str, errors.ErrorClass], ...] = (  # code and text, for the codes that stand for many things
    ("^OperationNotAllowed: .*quota", errors.QuotaExceeded),
    ("^OperationNotAllowed: .*(availability set cannot be deleted|is attached)", errors.InUse),
    ("^(OperationNotAllowed|BadRequest): .*non-managed availability set", BadAvailabilitySet),
    ("^OperationNotAllowed: .*being deleted", errors.WrongState),
    ("^InvalidParameter: .*vm ?size", errors.BadSize),
    ("^InvalidParameter: .*imagereference", errors.BadImage),
    ("^InvalidParameter: .*disk", errors.BadVolume),
    ("^BadRequest: .*not found", errors.NotFound),
)
ERRORS = errors.ErrorTable("azure", advice=ADVICE, codes=CODES, statuses=STATUSES, sentences=SENTENCES, longest=800)


def classify(code: str, text: str, status: int) -> errors.ErrorClass:
    """The kind of an answer: by its code, where that is vague by words of its text, else by HTTP's status."""
    known = ERRORS.by_sentence(f"{code}: {' '.join(text.split())}") or ERRORS.by_code(code)
    if known:
        return known
    if code.endswith(("LimitReached", "QuotaExceeded", "LimitExceeded")):
        return errors.QuotaExceeded
    if code.startswith("InUse") or code.endswith(("InUse", "CannotBeDeleted")):
        return errors.InUse
    return ERRORS.by_status(status) or errors.CloudError


def translate(code: str, text: str, status: int, doing: str) -> errors.CloudError:
    """The error for ARM's answer to `doing` (the call's name)."""
    kind = classify(code, text, status)
    said = code or (f"HTTP status {status}" if status else "no reason given")
    words = said if " " in said else errors.code_in_words(said).strip()
    error = ERRORS.refusal(kind, f"Azure refused {doing}: {words}", said, text, code=code, status=status)
    if kind is NotRegistered:
        error.resolution = _registration(text) or error.resolution
    return error


def _registration(text: str) -> str:
    """The command that registers the feature or the namespace that Azure's text names, "" if it names none."""
    feature = _FEATURE.search(text)
    if feature:
        return f"az feature register --namespace {feature[1]} --name {feature[2]}, and wait until it is Registered"
    namespace = _NAMESPACE.search(text)
    return f"az provider register --wait --namespace {namespace[0]}, once per subscription" if namespace else ""
