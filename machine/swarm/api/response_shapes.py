"""Which answers of an engine have which shape: https://docs.docker.com/reference/api/engine/ , versions 1.24 to 1.52.

Every field that a client written in Go decodes is here with its type, because one wrong field makes such a client
refuse a whole list, and with it what all other engines said.
"""

from __future__ import annotations

import re
from typing import Any

from machine.swarm import limits
from machine.swarm.api.shapes import (
    COUNT,
    IDENTITY,
    NAME,
    PORT,
    SIZE,
    WORD,
    Check,
    WrongShape,
    a_list,
    anything,
    integer,
    mapping,
    pattern,
    record,
    text,
)  # fmt: skip
from machine.swarm.parsing.routes import ROUTES, Route, paths_of
from machine.swarm.pipeline import Request

OLDEST_API = (1, 24)
FULL_ID = pattern(re.compile(r"[0-9a-f]{64}\Z"), "the full id of a container or an exec")
_API = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\Z")
TEXTS = a_list(str)
LABELS = mapping(str)
TAG = text(limits.ENGINE_TAG_LETTERS)
SHORT = text(limits.ENGINE_LABEL_LETTERS)
SUMMED = integer(-1, 1 << 40)  # small enough that the sum over very many engines fits in 64 bits
_PORT = record({"IP": SHORT, "PrivatePort": PORT, "PublicPort": PORT, "Type": WORD})
_BINDINGS = mapping(a_list(record({"HostIp": str, "HostPort": str})))
_DESCRIPTOR = record({"mediaType": str, "digest": str, "size": COUNT, "urls": TEXTS, "annotations": LABELS})
_MOUNT = record(
    {
        "Type": str, "Name": str, "Source": str, "Destination": str, "Driver": str, "Mode": str, "RW": bool,
        "Propagation": str,
    }
)  # fmt: skip
_ENDPOINT = record(
    {
        "IPAMConfig": record({"IPv4Address": str, "IPv6Address": str, "LinkLocalIPs": TEXTS}),
        "Links": TEXTS, "Aliases": TEXTS, "DNSNames": TEXTS, "NetworkID": str, "EndpointID": str, "Gateway": str,
        "IPAddress": str, "IPPrefixLen": COUNT, "IPv6Gateway": str, "GlobalIPv6Address": str,
        "GlobalIPv6PrefixLen": COUNT, "MacAddress": str, "DriverOpts": LABELS, "GwPriority": COUNT,
    }
)  # fmt: skip
CONTAINER = record(
    {
        "Id": IDENTITY, "Names": a_list(NAME), "Image": TAG, "ImageID": str, "Command": str, "Created": COUNT,
        "Ports": a_list(_PORT), "Labels": LABELS, "State": WORD, "Status": SHORT, "SizeRw": SIZE, "SizeRootFs": SIZE,
        "HostConfig": record({"NetworkMode": str, "Annotations": LABELS}),
        "NetworkSettings": record({"Networks": mapping(_ENDPOINT, NAME)}),
        "Mounts": a_list(_MOUNT), "ImageManifestDescriptor": _DESCRIPTOR,
        "Health": record({"Status": str, "FailingStreak": COUNT}),
    },
    "Id",
)  # fmt: skip
INSPECT = record(
    {
        "Id": IDENTITY, "Created": str, "Path": str, "Args": TEXTS, "Image": str, "Name": NAME, "Platform": str,
        "RestartCount": COUNT, "Driver": str, "MountLabel": str, "ProcessLabel": str, "AppArmorProfile": str,
        "ExecIDs": TEXTS, "SizeRw": SIZE, "SizeRootFs": SIZE, "Mounts": a_list(_MOUNT),
        "State": record({"Status": str, "Running": bool, "Pid": COUNT, "ExitCode": COUNT, "Error": str}),
        "HostConfig": record(
            {"CpuShares": COUNT, "Memory": COUNT, "NetworkMode": str, "PortBindings": _BINDINGS, "Binds": TEXTS}
        ),
        "Config": record({"Labels": LABELS, "Env": TEXTS, "Image": str, "ExposedPorts": mapping(anything)}),
        "NetworkSettings": record({"Ports": _BINDINGS, "Networks": mapping(_ENDPOINT)}),
    },
    "Id",
)  # fmt: skip
IMAGE = record(
    {
        "Id": IDENTITY, "ParentId": str, "RepoTags": a_list(TAG), "RepoDigests": a_list(TAG), "Created": COUNT,
        "Size": SIZE, "SharedSize": SIZE, "VirtualSize": SIZE, "Labels": LABELS, "Containers": COUNT,
        "Descriptor": _DESCRIPTOR, "Manifests": a_list(record({"ID": str, "Descriptor": _DESCRIPTOR, "Kind": str})),
    },
    "Id",
)  # fmt: skip
_POOL = record({"Subnet": str, "IPRange": str, "Gateway": str, "AuxiliaryAddresses": LABELS})
_INSIDE = record({"Name": str, "EndpointID": str, "MacAddress": str, "IPv4Address": str, "IPv6Address": str})
NETWORK = record(
    {
        "Name": NAME, "Id": IDENTITY, "Created": SHORT, "Scope": WORD, "Driver": SHORT, "EnableIPv4": bool,
        "EnableIPv6": bool, "Internal": bool, "Attachable": bool, "Ingress": bool, "ConfigOnly": bool,
        "IPAM": record({"Driver": str, "Options": LABELS, "Config": a_list(_POOL)}),
        "ConfigFrom": record({"Network": str}), "Containers": mapping(_INSIDE), "Options": LABELS, "Labels": LABELS,
        "Peers": a_list(record({"Name": str, "IP": str})), "Services": mapping(mapping(anything)),
    },
    "Name", "Id",
)  # fmt: skip
VOLUME = record(
    {
        "Name": NAME, "Driver": SHORT, "Mountpoint": SHORT, "CreatedAt": SHORT, "Status": mapping(anything),
        "Labels": LABELS, "Scope": WORD, "Options": LABELS, "UsageData": record({"Size": SIZE, "RefCount": COUNT}),
        "ClusterVolume": mapping(anything),
    },
    "Name",
)  # fmt: skip
VOLUMES = record({"Volumes": a_list(VOLUME), "Warnings": TEXTS})


def _api_version(value: Any) -> None:
    """One that a swarm speaks: an older one would be what all its engines have to be asked in."""
    found = _API.match(value) if type(value) is str else None
    if found is None:
        raise WrongShape(" is not a version")
    if (int(found[1]), int(found[2])) < OLDEST_API:
        raise WrongShape(f" is {found[0]}; {OLDEST_API[0]}.{OLDEST_API[1]} is the oldest that a swarm takes")


VERSION = record(
    {
        "Version": SHORT, "ApiVersion": _api_version, "MinAPIVersion": WORD, "Os": WORD, "Arch": WORD,
        "KernelVersion": SHORT,
        "GitCommit": str, "GoVersion": str, "BuildTime": str, "Experimental": bool,
        "Platform": record({"Name": str}),
        "Components": a_list(record({"Name": str, "Version": str, "Details": LABELS})),
    },
    "ApiVersion",
)  # fmt: skip
_BOOLEANS = (
    "MemoryLimit", "SwapLimit", "KernelMemory", "KernelMemoryTCP", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares", "CPUSet",
    "PidsLimit", "IPv4Forwarding", "BridgeNfIptables", "BridgeNfIp6tables", "Debug", "OomKillDisable",
    "ExperimentalBuild", "LiveRestoreEnabled",
)  # fmt: skip
_STRINGS = (
    "SystemTime", "LoggingDriver", "CgroupDriver", "CgroupVersion", "OSVersion", "IndexServerAddress", "DockerRootDir",
    "HttpProxy", "HttpsProxy", "NoProxy", "ClusterStore", "ClusterAdvertise", "DefaultRuntime", "Isolation",
    "InitBinary", "ProductLicense",
)  # fmt: skip
_COMMIT = record({"ID": str, "Expected": str})
INFO = record(
    {
        **dict.fromkeys(_BOOLEANS, bool), **dict.fromkeys(_STRINGS, str),
        "ID": NAME, "Name": NAME, "Driver": SHORT, "KernelVersion": SHORT, "OperatingSystem": SHORT, "OSType": WORD,
        "Architecture": WORD, "ServerVersion": SHORT, "NCPU": integer(0, 1 << 20), "MemTotal": integer(0, 1 << 50),
        "Containers": COUNT, "ContainersRunning": COUNT, "ContainersPaused": COUNT, "ContainersStopped": COUNT,
        "Images": COUNT, "NFd": SUMMED, "NGoroutines": SUMMED, "NEventsListener": SUMMED,
        "DriverStatus": a_list(TEXTS), "SystemStatus": a_list(TEXTS),
        "Labels": a_list(SHORT, limits.ENGINE_LABELS), "Plugins": mapping(TEXTS), "Warnings": TEXTS,
        "SecurityOptions": TEXTS, "Runtimes": mapping(mapping(anything)), "Swarm": mapping(anything),
        "RegistryConfig": mapping(anything), "GenericResources": a_list(mapping(anything)), "CDISpecDirs": TEXTS,
        "DefaultAddressPools": a_list(record({"Base": str, "Size": COUNT})),
        "ContainerdCommit": _COMMIT, "RuncCommit": _COMMIT, "InitCommit": _COMMIT,
    }
)  # fmt: skip
_CACHE = record(
    {
        "ID": str, "Parent": str, "Parents": TEXTS, "Type": str, "Description": str, "InUse": bool, "Shared": bool,
        "Size": SIZE, "CreatedAt": str, "LastUsedAt": str, "UsageCount": COUNT,
    }
)  # fmt: skip
DISK = record(
    {
        "LayersSize": SIZE, "Images": a_list(IMAGE), "Containers": a_list(CONTAINER), "Volumes": a_list(VOLUME),
        "BuildCache": a_list(_CACHE), "BuilderSize": SIZE,
    }
)  # fmt: skip
PLUGINS = a_list(
    record(
        {
            "Id": str, "Name": NAME, "Enabled": bool, "PluginReference": str, "Settings": mapping(anything),
            "Config": mapping(anything),
        },
        "Name",
    )
)  # fmt: skip
MADE = record({"Id": FULL_ID, "Warnings": a_list(SHORT)}, "Id")
MADE_NETWORK = record({"Id": IDENTITY, "Warning": SHORT}, "Id")
DELETED = a_list(record({"Untagged": str, "Deleted": str}))
PRUNED = record(
    {
        "ContainersDeleted": TEXTS, "NetworksDeleted": TEXTS, "VolumesDeleted": TEXTS, "ImagesDeleted": DELETED,
        "CachesDeleted": TEXTS, "SpaceReclaimed": SIZE,
    }
)  # fmt: skip
_HIT = record({"name": str, "description": str, "star_count": COUNT, "is_official": bool, "is_automated": bool})
_HISTORY = record({"Id": str, "Created": COUNT, "CreatedBy": str, "Tags": TEXTS, "Size": SIZE, "Comment": str})
_TOP = record({"Titles": TEXTS, "Processes": a_list(TEXTS)})
_OBJECT = mapping(anything)
_SHAPES: dict[Route, Check] = {
    ROUTES[method, path]: check
    for method, text, check in (
        ("GET", "/version", VERSION),
        ("GET", "/info", INFO),
        ("GET", "/system/df", DISK),
        ("GET", "/plugins", PLUGINS),
        ("POST", "/auth", _OBJECT),
        ("GET", "/distribution/{name}/json", _OBJECT),
        ("GET", "/containers/json|ps", a_list(CONTAINER)),
        ("POST", "/containers/create", MADE),
        ("POST", "/containers|images|networks|volumes|build/prune", PRUNED),
        ("GET", "/containers/{name}/json", INSPECT),
        ("GET", "/containers/{name}/top", _TOP),
        ("POST", "/containers/{name}/exec", MADE),
        ("GET", "/exec/{name}/json", _OBJECT),
        ("POST", "/commit", record({"Id": IDENTITY}, "Id")),
        ("GET", "/images/json", a_list(IMAGE)),
        ("GET", "/images/search", a_list(_HIT)),
        ("GET", "/images/{name}/json", record({"Id": IDENTITY, "RepoTags": TEXTS, "RepoDigests": TEXTS}, "Id")),
        ("GET", "/images/{name}/history", a_list(_HISTORY)),
        ("DELETE", "/images/{name}", DELETED),
        ("GET", "/networks", a_list(NETWORK)),
        ("GET", "/networks/{name}", NETWORK),
        ("POST", "/networks/create", MADE_NETWORK),
        ("GET", "/volumes", VOLUMES),
        ("GET", "/volumes/{name}", VOLUME),
        ("POST", "/volumes/create", VOLUME),
    )
    for path in paths_of(text)
}


def shape_of(request: Request) -> Check:
    """The check of the JSON of a good answer. To other routes anything is good."""
    route = request.route
    return _SHAPES.get(route, anything) if route else anything
