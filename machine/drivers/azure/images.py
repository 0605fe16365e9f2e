"""Images: published ones by publisher:offer:sku:version, own ones and those of galleries by their id. Read only.

https://learn.microsoft.com/rest/api/compute/virtual-machine-images, images, gallery-images, shared-gallery-images,
community-gallery-images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.resources import Json
from machine.drivers.cloud.errors import refuse


def find(api: Api, config: Config, wanted: str) -> Json:
    """The properties of an image, by URN or id. Raises PreflightFailed if there is none in the region.

    {} for one of another subscription, which only the create itself can judge.
    """
    image = _by_id(api, config, wanted) if wanted.startswith("/") else _published(api, config, wanted)
    return dict(image.get("properties") or {})


def check_location(what: str, thing: Mapping[str, Any], config: Config, advice: str) -> None:
    """Raises PreflightFailed if a thing is not in the machine's region; `West US` and `westus` are the same."""
    place = str(thing.get("location"))
    if place.replace(" ", "").lower() != config.location:
        refuse(f"{what} is in {place}, the machine shall be in {config.location}", advice)


def _published(api: Api, config: Config, urn: str) -> Json:
    publisher, offer, sku, version = urn.split(":")
    if version == "latest":
        version = max(api.image_versions(publisher, offer, sku), key=_version, default="")
    path = (config.location, publisher, offer, sku, version)
    found = api.get(resources.PUBLISHED_IMAGE, *path) if version else None
    if found is None:
        how = f"az vm image list --all --location {config.location} --publisher {publisher}"
        refuse(f"there is no image {urn} in {config.location}", f"check --azure-image ({how}), or leave it out")
    return found


def _by_id(api: Api, config: Config, image_id: str) -> Json:
    """An image, or a gallery's definition of one: own, of a gallery, shared with us, or of a community."""
    by_kind = resources.id_parts(image_id)
    group, name = by_kind.get("resourcegroups", ""), by_kind.get("images", "")
    if "communitygalleries" in by_kind:
        found = api.get(resources.COMMUNITY_IMAGE, config.location, by_kind["communitygalleries"], name)
    elif "sharedgalleries" in by_kind:
        found = api.get(resources.SHARED_IMAGE, config.location, by_kind["sharedgalleries"], name)
    elif by_kind.get("subscriptions", "").lower() != config.subscription_id.lower():
        return {}
    elif "galleries" in by_kind:
        found = api.get(resources.GALLERY_IMAGE, group, by_kind["galleries"], name)
    else:
        found = api.get(resources.OWN_IMAGE, group, name)
        if found and found.get("location"):  # goes with machines of its region only; galleries copy theirs to many
            advice = "give another --azure-image or --azure-location, or put the image into a gallery"
            check_location(f"the image {name}", found, config, advice)
    if found is None:
        refuse(f"there is no image {image_id}", "check --azure-image (az image list, az sig image-definition)")
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
