"""Classic swarm: machines that are known to managers by a discovery (docs/swarm.md)."""
