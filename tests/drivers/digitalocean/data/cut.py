"""Cut DigitalOcean's OpenAPI description down to what tests ask: `python cut.py FULL.json.gz` writes openapi.json.gz.

The whole one is at https://github.com/digitalocean/openapi (Apache-2.0). Operations and schemas stay word for word;
dropped are other paths, components that nothing refers to any more, and samples of code.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

WANTED = re.compile(
    r"/v2/(account(/keys.*)?|regions|sizes|images/\{image_id\}|vpcs(/\{vpc_id\})?|tags(/\{tag_id\})?"
    r"|firewalls(/\{firewall_id\}(/tags|/droplets|/rules)?)?|volumes(/\{volume_id\})?"
    r"|reserved_ips(/\{reserved_ip\}(/actions)?)?|droplets(/\{droplet_id\}(/actions|/firewalls)?)?)"
)


def references(part: Any) -> set[str]:
    """Every `#/components/KIND/NAME` in there."""
    return set(re.findall(r'"#/(components/[^"]+)"', json.dumps(part)))


def cut(full: dict[str, Any]) -> dict[str, Any]:
    """The smaller description."""
    found = {key: full[key] for key in ("openapi", "info", "servers", "security")}
    found["paths"] = {path: item for path, item in full["paths"].items() if WANTED.fullmatch(path)}
    for item in found["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("x-codeSamples", None)
    found["components"] = {"securitySchemes": full["components"]["securitySchemes"]}
    left = references(found["paths"])
    while left:
        name = left.pop()
        _, kind, key = name.split("/")
        if key not in found["components"].setdefault(kind, {}):
            found["components"][kind][key] = full["components"][kind][key]
            left |= references(full["components"][kind][key])
    return found


if __name__ == "__main__":
    with gzip.open(sys.argv[1]) as file:
        small = cut(json.load(file))
    packed = gzip.compress(json.dumps(small, separators=(",", ":")).encode(), 9, mtime=0)
    Path(__file__).with_name("openapi.json.gz").write_bytes(packed)
