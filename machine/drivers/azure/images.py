"""Images: published ones by publisher:offer:sku:version, own ones and those of galleries by their id. Read only.

https://learn.microsoft.com/rest/api/compute/virtual-machine-images, images, gallery-images, shared-gallery-images,
community-gallery-images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import client
from machine.drivers.azure.client import Api
from machine.errors import PreflightFailed


def published(api: Api, data: Mapping[str, Any], urn: str) -> dict[str, Any]:
    """The VirtualMachineImage of a URN; PreflightFailed if there is none in the region."""
    publisher, offer, sku, version = urn.split(":")
    if version == "latest":
        versions = api.image_versions(publisher, offer, sku)
        version = max(versions, key=_version, default="")
    found = api.get(client.PUBLISHED_IMAGE, data["Location"], publisher, offer, sku, version) if version else None
    if found is None:
        raise PreflightFailed(
            f"there is no image {urn} in {data['Location']}",
            resolution=f"check --azure-image (az vm image list --all --location {data['Location']} "
            f"--publisher {publisher}), or leave it out",
        )
    return found


def named(api: Api, data: Mapping[str, Any], image_id: str) -> dict[str, Any]:
    """An image, or a gallery's definition of one, by id: own, of a gallery, shared with us, or of a community.

    {} for those of other subscriptions, which only the create itself can judge. PreflightFailed if there is none.
    """
    parts = image_id.strip("/").split("/")
    by_kind = {kind.lower(): name for kind, name in zip(parts[::2], parts[1::2], strict=False)}
    group, name = by_kind.get("resourcegroups", ""), by_kind.get("images", "")
    if "communitygalleries" in by_kind:
        found = api.get(client.COMMUNITY_IMAGE, data["Location"], by_kind["communitygalleries"], name)
    elif "sharedgalleries" in by_kind:
        found = api.get(client.SHARED_IMAGE, data["Location"], by_kind["sharedgalleries"], name)
    elif by_kind.get("subscriptions", "").lower() != str(data["SubscriptionID"]).lower():
        return {}
    elif "galleries" in by_kind:
        found = api.get(client.GALLERY_IMAGE, group, by_kind["galleries"], name)
    else:
        found = _own(api, data, group, name)
    if found is None:
        raise PreflightFailed(
            f"there is no image {image_id}", resolution="check --azure-image (az image list, az sig image-definition)"
        )
    return found


def _own(api: Api, data: Mapping[str, Any], group: str, name: str) -> dict[str, Any] | None:
    """An own image goes with machines of its region only; galleries copy theirs to many."""
    found = api.get(client.OWN_IMAGE, group, name)
    place = str((found or {}).get("location") or "").replace(" ", "").lower()
    if place and place != data["Location"]:
        raise PreflightFailed(
            f"the image {name} is in {place}, the machine shall be in {data['Location']}",
            resolution="give another --azure-image or --azure-location, or put the image into a gallery",
        )
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
