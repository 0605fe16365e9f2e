"""Swarm mode: the clusters that Docker engines form themselves (docs/swarm-mode.md)."""
