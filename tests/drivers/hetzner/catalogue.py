"""What Hetzner sells, as its API lists it: locations, types of servers with prices, images."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Json = dict[str, Any]
PLACES = {
    "fsn1": (1, "Falkenstein", "DE", "eu-central"),
    "nbg1": (2, "Nuremberg", "DE", "eu-central"),
    "ash": (4, "Ashburn, VA", "US", "us-east"),
}
GONE = {"announced": "2024-06-01T00:00:00Z", "unavailable_after": "2024-09-01T00:00:00Z"}
GOING = {"announced": "2026-06-01T00:00:00Z", "unavailable_after": "2099-09-01T00:00:00Z"}


def offer(place: str, *, available: bool = True, deprecation: Json | None = None) -> Json:
    """A type in one location."""
    number = PLACES[place][0]
    shown = {"id": number, "name": place, "available": available, "recommended": available}
    return {**shown, "deprecation": deprecation}


def price(place: str, hour: str, month: str) -> Json:
    """What a type costs in one location; with tax of 19%."""

    def both(net: str) -> Json:
        return {"net": f"{Decimal(net):.10f}", "gross": f"{Decimal(net) * Decimal('1.19'):.16f}"}

    return {"location": place, "price_hourly": both(hour), "price_monthly": both(month)}


def size(number: int, name: str, arch: str, disk: int, offers: list[Json]) -> Json:
    """A type of servers."""
    costs = {"fsn1": ("0.0056", "3.49"), "nbg1": ("0.0056", "3.49"), "ash": ("0.0072", "4.49")}
    over = all(one["deprecation"] for one in offers)
    return {
        "id": number,
        "name": name,
        "description": name.upper(),
        "category": "Shared vCPU",
        "cores": 2,
        "memory": 4.0,
        "disk": disk,
        "prices": [price(one["name"], *costs[one["name"]]) for one in offers],
        "storage_type": "local",
        "cpu_type": "shared",
        "architecture": arch,
        "included_traffic": 21990232555520,
        "deprecated": over,
        "deprecation": offers[0]["deprecation"] if over else None,
        "locations": offers,
    }


def picture(number: int, name: str | None, arch: str = "x86", **more: Any) -> Json:
    """An image."""
    return {
        "id": number,
        "name": name,
        "architecture": arch,
        "bound_to": None,
        "created": "2026-04-16T11:12:01Z",
        "created_from": None,
        "deleted": None,
        "deprecated": None,
        "deprecation": None,
        "description": name or "a snapshot",
        "disk_size": 5,
        "image_size": None,
        "labels": {},
        "os_flavor": "ubuntu",
        "os_version": "24.04",
        "protection": {"delete": False},
        "rapid_deploy": True,
        "status": "available",
        "type": "system" if name else "snapshot",
        **more,
    }


class Catalogue:
    """What a project can choose from."""

    def __init__(self) -> None:
        self.server_types = [
            size(114, "cx23", "x86", 40, [offer("fsn1"), offer("nbg1")]),
            size(45, "cax11", "arm", 40, [offer("fsn1"), offer("nbg1", available=False)]),
            size(22, "cpx11", "x86", 40, [offer("ash"), offer("fsn1", deprecation=GONE)]),
            size(104, "cx22", "x86", 40, [offer("fsn1", deprecation=GOING)]),
            size(1, "cx11", "x86", 20, [offer("fsn1", available=False, deprecation=GONE)]),
        ]
        self.images = [
            picture(161547269, "ubuntu-24.04"),
            picture(161547270, "ubuntu-24.04", "arm"),
            picture(114690387, "debian-12", deprecation=GOING),
            picture(45557056, "debian-11", deprecation=GONE),
            picture(429564329, None, disk_size=80, image_size=0.7),
            picture(429564330, None, status="creating"),
            picture(429564331, None, image_size=0.7),
        ]

    def locations(self) -> list[Json]:
        return [self.location(name) for name in PLACES]

    def location(self, key: str | int) -> Json:
        """By name or id."""
        for name, (number, city, country, zone) in PLACES.items():
            if key in (name, number):
                return {
                    "id": number,
                    "name": name,
                    "description": f"{city} DC Park 1",
                    "country": country,
                    "city": city,
                    "latitude": 50.47612,
                    "longitude": 12.370071,
                    "network_zone": zone,
                }
        raise _invalid("location", f"location {key} not found")

    def server_type(self, key: str | int) -> Json:
        """By name or id."""
        found = next((one for one in self.server_types if key in (one["name"], one["id"])), None)
        if found is None:
            raise _invalid("server_type", f"server type {key} not found")
        return found

    def image(self, key: int) -> Json:
        """By id."""
        found = next((one for one in self.images if one["id"] == key), None)
        if found is None:
            raise _invalid("image", f"image {key} not found")
        return found


def _invalid(name: str, message: str) -> Exception:
    from tests.drivers.hetzner.project import invalid

    return invalid(name, message)
