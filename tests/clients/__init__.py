"""Docker clients that this host does not have installed, for tests: Compose v2, buildx, a newer docker."""
