"""What the look before a create finds in what is there already, and that Azure itself would have refused it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure.driver import AzureDriver
from machine.drivers.azure.errors import BadAvailabilitySet, translate
from machine.drivers.cloud import errors
from machine.errors import DriverError, PreflightFailed
from tests.drivers.azure.arm import SUBSCRIPTION
from tests.drivers.azure.catalogue import LOCATION, PLAN, definition
from tests.drivers.azure.cloud import Azure
from tests.drivers.azure.test_life import GROUP, body, flags
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, refused, unmake

COMPUTE, NETWORK = f"{GROUP}/providers/Microsoft.Compute", f"{GROUP}/providers/Microsoft.Network"


def there(cloud: Azure, thing_id: str, kind: str, location: str = LOCATION, **more: Any) -> dict[str, Any]:
    """Something that somebody made before; with its resource group."""
    for path, what in ((GROUP, "Microsoft.Resources/resourceGroups"), (thing_id, kind)):
        thing = {"id": path, "name": path.rpartition("/")[2], "type": what, "location": location, "tags": {}}
        cloud.arm.account.things[path.lower()] = {**thing, "properties": {"provisioningState": "Succeeded"}}
    cloud.arm.account.things[thing_id.lower()] |= more
    return cloud.arm.account.things[thing_id.lower()]


def a_set(cloud: Azure, sku: str, location: str = LOCATION) -> dict[str, Any]:
    """An availability set under the name that docker-machine used too."""
    found = there(cloud, f"{COMPUTE}/availabilitySets/docker-machine", "Microsoft.Compute/availabilitySets", location)
    found |= {"sku": {"name": sku}, "properties": {"platformFaultDomainCount": 2, "platformUpdateDomainCount": 5}}
    return found


@pytest.mark.parametrize(
    ("sku", "location", "said"), [("Classic", LOCATION, "managed disks"), ("Aligned", "eastus", "is in eastus")]
)
def test_a_set_that_takes_no_such_machine(cloud: Azure, tmp_path: Path, sku: str, location: str, said: str) -> None:
    """docker-machine's own set, for disks in storage accounts, and one of another region."""
    a_set(cloud, sku, location)
    error = refused(cloud, tmp_path / "one")
    assert said in error.brief
    assert "--azure-availability-set" in error.resolution
    for other in ({"availability_set": "none"}, {"availability_set": "another"}, {"availability_zone": "1"}):
        new(cloud, tmp_path / "two", **flags(**other)).check()


def test_a_set_that_does(cloud: Azure, tmp_path: Path) -> None:
    a_set(cloud, "Aligned", "West US")["location"] = LOCATION
    unmake(make(new(cloud, tmp_path)))


def test_azure_refuses_a_machine_in_a_classic_set(cloud: Azure, tmp_path: Path) -> None:
    """One that came to be after the check: what Azure says has the same advice."""
    driver = new(cloud, tmp_path)
    driver.check()
    driver.ctx.save(driver)
    a_set(cloud, "Classic")
    with pytest.raises(BadAvailabilitySet) as caught:
        create_until_done(driver)
    assert "'Aligned' SKU" in caught.value.details
    assert "--azure-availability-set none" in caught.value.resolution
    unmake(again(driver))


def test_a_firewall_of_another_region(cloud: Azure, tmp_path: Path) -> None:
    nsg = f"{NETWORK}/networkSecurityGroups/mine"
    found = there(cloud, nsg, "Microsoft.Network/networkSecurityGroups", "eastus")
    error = refused(cloud, tmp_path, nsg="mine")
    assert "is in eastus" in error.brief
    assert "--azure-nsg" in error.resolution
    found["location"] = LOCATION
    driver = new(cloud, tmp_path, **flags(nsg=nsg))
    driver.check()
    found["location"] = "eastus"
    with pytest.raises(errors.BadNetwork):
        create_until_done(driver)
    unmake(driver)


def test_a_premium_disk_for_a_size_without(cloud: Azure, tmp_path: Path) -> None:
    error = refused(cloud, tmp_path, size="Standard_D2_v5", storage_type="Premium_LRS")
    assert "--azure-storage-type" in error.resolution
    for size, kind in (("Standard_D2s_v5", "Premium_LRS"), ("Standard_D2_v5", "StandardSSD_LRS")):
        unmake(make(new(cloud, tmp_path, **flags(size=size, storage_type=kind))))
    driver = new(cloud, tmp_path, **flags(size="Standard_D2_v5"))
    driver.check()
    assert isinstance(driver, AzureDriver)
    driver.config.storage_type = "Premium_ZRS"
    with pytest.raises(errors.BadSize):
        create_until_done(driver)
    unmake(driver)


OWN = f"{COMPUTE}/images/mine"
GALLERY = f"{COMPUTE}/galleries/ours/images/base"
DISK = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30}


def an_image(cloud: Azure, image_id: str, location: str = LOCATION, **properties: Any) -> None:
    """An image of the subscription's own, or a gallery's definition of one."""
    kind = "galleries/images" if "/galleries/" in image_id else "images"
    there(cloud, image_id, f"Microsoft.Compute/{kind}", location, properties=properties)


@pytest.mark.parametrize(
    ("image", "key"),
    [
        (OWN, "id"),
        (GALLERY, "id"),
        (f"{GALLERY}/versions/1.0.0", "id"),
        (f"{GALLERY}-sold/versions/latest", "id"),
        ("/sharedGalleries/1a2b3c-ours/images/base/versions/latest", "sharedGalleryImageId"),
        ("/CommunityGalleries/everybody-0c1d/Images/base/Versions/1.0.0", "communityGalleryImageId"),
        ("/CommunityGalleries/everybody-0c1d/Images/sold", "communityGalleryImageId"),
    ],
)
def test_images_by_id(cloud: Azure, tmp_path: Path, image: str, key: str) -> None:
    """Each goes where Azure wants that kind of id, with the plan that its gallery names."""
    an_image(cloud, OWN, hyperVGeneration="V2", storageProfile={"osDisk": DISK})
    an_image(cloud, GALLERY, **definition())
    an_image(cloud, f"{GALLERY}-sold", **definition(purchasePlan=PLAN))
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **flags(image=image)))
    asked = body(cloud, "PUT virtualMachines")
    assert asked["properties"]["storageProfile"]["imageReference"] == {key: image}
    assert asked.get("plan") == (PLAN if "sold" in image else None)
    unmake(driver)
    assert cloud.listing() == before


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (f"{COMPUTE}/images/none", "there is no image"),
        (f"{COMPUTE}/galleries/ours/images/none", "there is no image"),
        ("/SharedGalleries/1a2b3c-ours/images/none", "there is no image"),
        ("/communityGalleries/nobody/images/base", "there is no image"),
        ("/communityGalleries/everybody-0c1d/images/arm", "is for Arm64"),
        (f"{COMPUTE}/images/far", "is in eastus"),
        (f"{COMPUTE}/images/large", "needs a disk of 64 GB"),
        (f"{COMPUTE}/images/special", "is specialized"),
        (f"{COMPUTE}/galleries/ours/images/windows", "is Windows"),
    ],
)
def test_images_by_id_that_do_not_go(cloud: Azure, tmp_path: Path, image: str, said: str) -> None:
    an_image(cloud, f"{COMPUTE}/images/far", "eastus", storageProfile={"osDisk": DISK})
    an_image(cloud, f"{COMPUTE}/images/large", storageProfile={"osDisk": {**DISK, "diskSizeGB": 64}})
    an_image(cloud, f"{COMPUTE}/images/special", storageProfile={"osDisk": {**DISK, "osState": "Specialized"}})
    an_image(cloud, f"{COMPUTE}/galleries/ours/images/windows", **definition(osType="Windows"))
    assert said in refused(cloud, tmp_path, image=image).brief


@pytest.mark.parametrize("namespace", ["Microsoft.Compute", "Microsoft.Network"])
def test_a_subscription_that_never_used_it(cloud: Azure, tmp_path: Path, namespace: str) -> None:
    cloud.arm.unregistered.add(namespace)
    error = refused(cloud, tmp_path)
    assert type(error).__name__ == "NotRegistered"
    assert f"az provider register --wait --namespace {namespace}," in error.resolution
    assert "subscription-id" not in error.resolution


def test_where_only_making_is_refused_it_says_the_same(cloud: Azure, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path)
    driver.check()
    driver.ctx.save(driver)
    cloud.arm.unregistered.add("Microsoft.Network")
    with pytest.raises(DriverError) as caught:
        create_until_done(driver)
    assert not isinstance(caught.value, PreflightFailed)
    assert "--namespace Microsoft.Network," in caught.value.resolution
    cloud.arm.unregistered.clear()
    unmake(again(driver))
    assert cloud.listing() == {}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Subscription X is not registered for feature Microsoft.Compute/Big.", "az feature register --namespace "
         "Microsoft.Compute --name Big,"),
        ("no word of which", "--namespace Microsoft.Compute (and Microsoft.Network)"),
    ],
)  # fmt: skip
def test_what_is_to_be_registered(text: str, command: str) -> None:
    found = translate("SubscriptionNotRegisteredForFeature", text, 409, f"{SUBSCRIPTION}")
    assert command in found.resolution
