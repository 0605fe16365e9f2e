"""The options of engine and swarm: config.json's objects to and from the model's values."""

from __future__ import annotations

from machine import hostport
from machine.model import EngineOptions, SwarmOptions
from machine.store.migrate import INSTALL_URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

CONTAINERS = "Containers"  # ours: --swarm-image was given


def engine(found: Mapping[str, Any]) -> EngineOptions:
    """HostOptions.EngineOptions as the model's value."""
    return EngineOptions(
        env=tuple(found["Env"]),
        insecure_registries=tuple(found["InsecureRegistry"]),
        install_url=found["InstallURL"] or INSTALL_URL,
        labels=tuple(found["Labels"]),
        flags=tuple(found["ArbitraryFlags"]),
        registry_mirrors=tuple(found["RegistryMirror"]),
        storage_driver=found["StorageDriver"],
    )


def swarm(found: Mapping[str, Any]) -> SwarmOptions:
    """HostOptions.SwarmOptions as the model's value."""
    return SwarmOptions(
        is_swarm=found["IsSwarm"],
        master=found["Master"],
        is_node=found["Agent"],
        discovery=found["Discovery"],
        address=found["Address"],
        host=found["Host"],
        image=found["Image"],
        strategy=found["Strategy"],
        flags=tuple(found["ArbitraryFlags"]),
        join_flags=tuple(found["ArbitraryJoinFlags"]),
        experimental=found["IsExperimental"],
        use_containers=found.get(CONTAINERS) is True,
    )


def engine_object(options: EngineOptions | None) -> dict[str, Any]:
    """The object for HostOptions.EngineOptions; None: nothing was asked for."""
    if options is None:
        return {"TlsVerify": True, "InstallURL": INSTALL_URL}
    return {
        "ArbitraryFlags": list(options.flags),
        "Env": list(options.env),
        "InsecureRegistry": list(options.insecure_registries),
        "Labels": list(options.labels),
        "StorageDriver": options.storage_driver,
        "TlsVerify": True,
        "RegistryMirror": list(options.registry_mirrors),
        "InstallURL": options.install_url,
    }


def swarm_object(options: SwarmOptions | None) -> dict[str, Any]:
    """The object for HostOptions.SwarmOptions; None: nothing was asked for."""
    if options is None:
        return {"Host": f"tcp://0.0.0.0:{hostport.MANAGER_PORT}", "Image": "swarm:latest", "Strategy": "spread"}
    return {
        "IsSwarm": options.is_swarm,
        "Address": options.address,
        "Discovery": options.discovery,
        "Agent": options.is_node,
        "Master": options.master,
        "Host": options.host,
        "Image": options.image,
        "Strategy": options.strategy,
        "ArbitraryFlags": list(options.flags),
        "ArbitraryJoinFlags": list(options.join_flags),
        "IsExperimental": options.experimental,
        **({CONTAINERS: True} if options.use_containers else {}),
    }
