"""Records of docker-machine before 0.4 (ConfigVersion 0 to 2) in today's form (3).

In memory only; the next save writes the new form and keeps the old bytes in config.json.bak.

    0   flat: the paths of the certificates and the three Swarm* keys lie beside the Driver
    1   HostOptions, with AuthOptions.PrivateKeyPath and a StorePath at the top
    2   CaPrivateKeyPath and CertDir; no StorePath in the Driver
    3   Driver.StorePath

docker-machine computes CertDir and StorePath from a key that the older versions lack and ends with "certs" and
".". Here they are left empty when they are not known, and relocate_paths.py puts in the real store.
"""

from __future__ import annotations

from machine.store import key_names
from machine.store.document import normalize_key_case, record_error, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INSTALL_URL = "https://get.docker.com"
_FLAT_AUTH = {
    "StorePath": "StorePath",
    "CaCertPath": "CaCertPath",
    "PrivateKeyPath": "CaPrivateKeyPath",
    "ServerCertPath": "ServerCertPath",
    "ServerKeyPath": "ServerKeyPath",
    "ClientCertPath": "ClientCertPath",
    "ClientKeyPath": "ClientKeyPath",
}
_FLAT_SWARM = {"SwarmHost": str, "SwarmMaster": bool, "SwarmDiscovery": str}


def upgrade(raw: dict[str, Any], name: str) -> int:
    """Bring `raw` to ConfigVersion 3 in place; the version it had. Raises RecordBroken if it is from the future."""
    version = raw.get("ConfigVersion") or 0
    if type(version) is not int or version < 0:
        raise record_error(name, "ConfigVersion in config.json must be a whole number")
    if version > key_names.VERSION:
        raise record_error(
            name,
            f"its config.json has ConfigVersion {version}; this program knows up to {key_names.VERSION}",
            f"use the newer program that made it, or update this one; to forget the machine: machine rm -f {name}",
        )
    if version == 0:
        _from_0(raw, name)
    if version <= 1:
        _from_1(raw, name)
    raw["ConfigVersion"] = key_names.VERSION
    return version


def _from_0(raw: dict[str, Any], name: str) -> None:
    normalize_key_case(raw, dict.fromkeys((*_FLAT_AUTH, *_FLAT_SWARM)))
    flat = validate({key: raw.pop(key) for key in _FLAT_SWARM if key in raw}, dict(_FLAT_SWARM), name, "")
    options = _object(raw, "HostOptions")
    engine = _object(options, "EngineOptions")
    engine.update({"TlsVerify": True, "InstallURL": engine.get("InstallURL") or INSTALL_URL})
    swarm = _object(options, "SwarmOptions")
    swarm.setdefault("IsSwarm", flat["SwarmMaster"] or bool(flat["SwarmDiscovery"]))
    for old, new in (("SwarmHost", "Host"), ("SwarmMaster", "Master"), ("SwarmDiscovery", "Discovery")):
        swarm.setdefault(new, flat[old])
    auth = _object(options, "AuthOptions")
    for old in _FLAT_AUTH:
        if old in raw and old != "StorePath":
            auth.setdefault(old, raw.pop(old))


def _from_1(raw: dict[str, Any], name: str) -> None:
    normalize_key_case(raw, {"StorePath": str})
    auth = _object(_object(raw, "HostOptions"), "AuthOptions")
    normalize_key_case(auth, dict.fromkeys(_FLAT_AUTH))
    if "PrivateKeyPath" in auth:
        auth.setdefault("CaPrivateKeyPath", auth["PrivateKeyPath"])
        del auth["PrivateKeyPath"]
    store_path = raw.pop("StorePath", None)
    if store_path:
        auth["StorePath"] = auth.get("StorePath") or store_path
    raw.setdefault("Name", name)


def _object(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`, made if it is missing or null; a wrong kind is found by the check that follows."""
    normalize_key_case(holder, {key: dict})
    if holder.get(key) is None:
        holder[key] = {}
    found = holder[key]
    return found if isinstance(found, dict) else {}
