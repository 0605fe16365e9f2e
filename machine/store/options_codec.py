"""What the user asked of the engine and of swarm: between config.json's objects and the model's values."""

from __future__ import annotations

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
        agent=found["Agent"],
        discovery=found["Discovery"],
        address=found["Address"],
        host=found["Host"],
        image=found["Image"],
        strategy=found["Strategy"],
        flags=tuple(found["ArbitraryFlags"]),
        join_flags=tuple(found["ArbitraryJoinFlags"]),
        experimental=found["IsExperimental"],
        containers=found.get(CONTAINERS) is True,
    )


def engine_object(given: EngineOptions | None) -> dict[str, Any]:
    """The object for HostOptions.EngineOptions; None: nothing was asked for."""
    if given is None:
        return {"TlsVerify": True, "InstallURL": INSTALL_URL}
    return {
        "ArbitraryFlags": list(given.flags),
        "Env": list(given.env),
        "InsecureRegistry": list(given.insecure_registries),
        "Labels": list(given.labels),
        "StorageDriver": given.storage_driver,
        "TlsVerify": True,
        "RegistryMirror": list(given.registry_mirrors),
        "InstallURL": given.install_url,
    }


def swarm_object(given: SwarmOptions | None) -> dict[str, Any]:
    """The object for HostOptions.SwarmOptions; None: nothing was asked for."""
    if given is None:
        return {"Host": "tcp://0.0.0.0:3376", "Image": "swarm:latest", "Strategy": "spread"}
    return {
        "IsSwarm": given.is_swarm,
        "Address": given.address,
        "Discovery": given.discovery,
        "Agent": given.agent,
        "Master": given.master,
        "Host": given.host,
        "Image": given.image,
        "Strategy": given.strategy,
        "ArbitraryFlags": list(given.flags),
        "ArbitraryJoinFlags": list(given.join_flags),
        "IsExperimental": given.experimental,
        **({CONTAINERS: True} if given.containers else {}),
    }
