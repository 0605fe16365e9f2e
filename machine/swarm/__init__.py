"""Many engines behind one endpoint: discovery, scheduling, and the chain of backends."""
