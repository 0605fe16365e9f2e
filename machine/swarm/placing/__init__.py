"""Where a new container goes because of what is on the engines already: volumes, networks, a Compose project."""
