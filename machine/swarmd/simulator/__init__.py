"""Engines made up in memory: containers that run nothing, behind the real API. For trying, testing and measuring."""

from machine.swarmd.simulator.engine import SimulatedEngine

__all__ = ["SimulatedEngine"]
