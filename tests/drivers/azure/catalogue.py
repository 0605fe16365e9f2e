"""What the fake region sells and allows, in the shapes of the SDK's published models."""

from __future__ import annotations

from typing import Any

LOCATION = "westus"


def sku(name: str, family: str, cpus: int, processor: str = "x64", **more: Any) -> dict[str, Any]:
    """A VM size as resourceSkus has it."""
    capabilities = {
        "vCPUs": str(cpus),
        "CpuArchitectureType": processor,
        "HyperVGenerations": "V2" if processor == "Arm64" else "V1,V2",
        "AcceleratedNetworkingEnabled": str(cpus > 1),
        "LowPriorityCapable": str(not name.startswith("Standard_B")),
        "PremiumIO": str("s" in name.split("_")[1]),
    }
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": family,
        "locations": [LOCATION],
        "locationInfo": [{"location": LOCATION, "zones": ["1", "2"]}],
        "capabilities": [{"name": key, "value": value} for key, value in capabilities.items()],
        "restrictions": [],
        **more,
    }


SKUS = [
    sku("Standard_B2s", "standardBSFamily", 2),
    sku("Standard_D2s_v5", "standardDSv5Family", 2),
    sku("Standard_D2_v5", "standardDv5Family", 2),
    sku("Standard_B2pls_v2", "standardBpsv2Family", 2, "Arm64"),
    sku("Standard_D96s_v5", "standardDSv5Family", 96),
    sku(
        "Standard_NC6",
        "standardNCFamily",
        6,
        restrictions=[
            {
                "type": "Location",
                "values": [LOCATION],
                "restrictionInfo": {"locations": [LOCATION]},
                "reasonCode": "NotAvailableForSubscription",
            }
        ],
    ),
    {
        "resourceType": "availabilitySets",
        "name": "Aligned",
        "locations": [LOCATION],
        "capabilities": [{"name": "MaximumPlatformFaultDomainCount", "value": "2"}],
        "restrictions": [],
    },
]
USAGES = {
    "Microsoft.Compute": {"cores": (4, 50), "standardBSFamily": (0, 20), "standardDSv5Family": (0, 100)},
    "Microsoft.Network": {"StandardSkuPublicIpAddresses": (3, 20), "VirtualNetworks": (1, 1000)},
}
IMAGES: dict[str, dict[str, Any]] = {  # publisher:offer:sku -> versions, properties
    "canonical:ubuntu-24_04-lts:server": {
        "versions": ["24.04.202511140", "24.04.202602190", "24.04.20251114"],
        "architecture": "x64",
        "hyperVGeneration": "V2",
        "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 30},
    },
    "canonical:ubuntu-24_04-lts:server-arm64": {
        "versions": ["24.04.202602190"],
        "architecture": "Arm64",
        "hyperVGeneration": "V2",
        "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 30},
    },
    "somebody:hardened:sold": {
        "versions": ["1.0.0"],
        "architecture": "x64",
        "hyperVGeneration": "V1",
        "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 40},
        "plan": {"publisher": "somebody", "product": "hardened", "name": "sold"},
    },
}
PLAN = {"publisher": "somebody", "product": "hardened", "name": "sold"}


def definition(**more: Any) -> dict[str, Any]:
    """The properties of an image definition in a gallery."""
    kind = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "architecture": "x64"}
    return {**kind, "identifier": {"publisher": "p", "offer": "o", "sku": "s"}, **more}


GALLERIES: dict[str, dict[str, Any]] = {  # what others let the region's users see: path -> properties
    "sharedgalleries/1a2b3c-ours/images/base": definition(),
    "communitygalleries/everybody-0c1d/images/base": definition(),
    "communitygalleries/everybody-0c1d/images/arm": definition(architecture="Arm64"),
    "communitygalleries/everybody-0c1d/images/sold": definition(purchasePlan=PLAN),
}


def usages(provider: str) -> list[dict[str, Any]]:
    """Current values and limits of one provider."""
    return [
        {
            "currentValue": used,
            "limit": limit,
            "unit": "Count",
            "name": {"value": name, "localizedValue": name},
        }
        for name, (used, limit) in USAGES[provider].items()
    ]
