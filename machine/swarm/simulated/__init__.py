"""Engines made up in memory: containers that run nothing, behind the real API. For trying, testing and measuring."""

from machine.swarm.simulated.engine import SimulatedEngine

__all__ = ["SimulatedEngine"]
