"""The engines of one swarm and all that is on them, kept in memory."""

from machine.swarm.cluster.cluster import Cluster, Settings
from machine.swarm.cluster.container import Container
from machine.swarm.cluster.engine import Engine

__all__ = ["Cluster", "Container", "Engine", "Settings"]
