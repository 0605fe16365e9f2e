"""The engines of one swarm and all that is on them, kept in memory."""

from machine.swarm.cluster.cluster import Cluster
from machine.swarm.cluster.engine import Container, Engine
from machine.swarm.cluster.settings import Settings

__all__ = ["Cluster", "Container", "Engine", "Settings"]
