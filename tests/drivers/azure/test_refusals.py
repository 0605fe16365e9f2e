"""What Azure refuses, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure.errors import (
    BadAvailabilitySet,
    ForbiddenByPolicy,
    NotRegistered,
    PlanNotAccepted,
    classify,
    translate,
)
from machine.drivers.cloud import errors
from machine.errors import DriverError, MachineError, PreflightFailed
from tests.drivers.azure import recorded
from tests.drivers.azure.arm import SUBSCRIPTION
from tests.drivers.azure.cloud import Azure, refusal
from tests.drivers.azure.resources import NO_PREMIUM, UNMANAGED_SET, Refused
from tests.drivers.azure.test_life import GROUP, flags
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, unmake

CLASSES = {  # recorded or quoted code -> class
    "SkuNotAvailable": errors.NoCapacity,
    "OperationNotAllowed": errors.QuotaExceeded,
    "AuthorizationFailed": errors.NotAllowed,
    "LinkedAuthorizationFailed": errors.NotAllowed,
    "MissingSubscriptionRegistration": NotRegistered,
    "PrivateIPAddressNotInAnySubnet": errors.BadNetwork,
    "InvalidParameter": errors.BadVolume,
    "GatewayTimeout": errors.ServiceBroken,
    "InternalExecutionError": errors.ServiceBroken,
    "ResourceGroupNotFound": errors.NotFound,
    "ResourceNotFound": errors.NotFound,
    "PropertyChangeNotAllowed": errors.BadRequest,
    "InvalidTemplate": errors.BadRequest,
    "BadRequest": errors.BadRequest,
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": "Standard_A2"}, "azure-size"),
        ({"size": "Standard_NC6"}, "NotAvailableForSubscription"),
        ({"size": "Standard_D96s_v5"}, "Quotas"),
        ({"location": "mars"}, "azure-location"),
        ({"image": "Canonical:UbuntuServer:16.04.0-LTS:latest"}, "azure-image"),
        ({"image": "Canonical:ubuntu-24_04-lts:server:1.0.0"}, "azure-image"),
        ({"image": "Canonical:ubuntu-24_04-lts:server-arm64:latest"}, "azure-size"),
        ({"image": f"{GROUP}/providers/Microsoft.Compute/images/mine"}, "azure-image"),
        ({"disk_size": 10}, "azure-disk-size"),
        ({"availability_zone": "3"}, "azure-availability-zone"),
        ({"spot": True}, "azure-spot"),
        ({"dns": "taken"}, "azure-dns"),
        ({"nsg": "none-such"}, "azure-nsg"),
        ({"vnet": "other:net"}, "azure-vnet"),
        ({"subscription_id": SUBSCRIPTION.replace("1", "2")}, "azure-subscription-id"),
        ({"custom_data": "/nonexistent/file"}, "azure-custom-data"),
    ],
)
def test_the_preflight_names_the_flag(cloud: Azure, tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path, **flags(**given)).check()
    assert said in caught.value.resolution + caught.value.details
    assert caught.value.exit_code == 3
    assert cloud.listing() == {}


@pytest.mark.parametrize("code", sorted(CLASSES))
def test_each_recorded_refusal_is_of_its_class(cloud: Azure, tmp_path: Path, code: str) -> None:
    """Told when the machine is asked for; what was made until then goes with rm."""
    status, said = recorded.errors()[code]
    cls = classify(code, json.dumps(said), status)
    assert cls is CLASSES[code]
    if status < 400 or status >= 500:
        return
    driver = new(cloud, tmp_path, **flags(retries=0))
    driver.check()
    refused = Refused(status, code, "")
    refused.body = said
    cloud.arm.refusals["virtualMachines"] = refused
    with pytest.raises(DriverError) as caught:
        create_until_done(driver)
    assert type(caught.value) is cls
    assert code in caught.value.details
    assert caught.value.resolution
    unmake(again(driver))
    assert cloud.listing() == {}


@pytest.mark.parametrize(
    ("status", "code", "text", "cls"),
    [
        (409, "OperationNotAllowed", "exceeding approved Total Regional Cores quota", errors.QuotaExceeded),
        (409, "AllocationFailed", "", errors.NoCapacity),
        (400, "MarketplacePurchaseEligibilityFailed", "", PlanNotAccepted),
        (404, "PlatformImageNotFound", "", errors.BadImage),
        (409, "SubscriptionNotRegistered", "", NotRegistered),
        (400, "NoRegisteredProviderFound", "", errors.BadRegion),
        (409, "OperationNotAllowed", UNMANAGED_SET, BadAvailabilitySet),
        (400, "InvalidParameter", NO_PREMIUM, errors.BadSize),
        (400, "InvalidParameter", "The requested VM size X is not available", errors.BadSize),
        (409, "ScopeLocked", "", errors.Protected),
        (403, "RequestDisallowedByPolicy", "", ForbiddenByPolicy),
        (400, "PublicIPCountLimitReached", "", errors.QuotaExceeded),
        (400, "SomethingNewLimitReached", "", errors.QuotaExceeded),
        (401, "ExpiredAuthenticationToken", "", errors.BadCredentials),
        (429, "", "", errors.RateLimited),
        (503, "", "", errors.ServiceBroken),
        (418, "Teapot", "", errors.CloudError),
    ],
)
def test_classes(status: int, code: str, text: str, cls: type[MachineError]) -> None:
    found = translate(code, text, status, "do it")
    assert type(found) is cls
    assert text in found.details


def test_a_lock_of_the_administrator_is_said(cloud: Azure, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    said = refusal(409, "ScopeLocked", "The scope cannot perform delete operation because of lock 'keep'.")
    cloud.proxy.on("DELETE virtualMachines", lambda proxy, call: said, times=1)
    with pytest.raises(errors.Protected) as caught:
        driver.remove()
    assert "keep" in caught.value.details
    unmake(driver)
