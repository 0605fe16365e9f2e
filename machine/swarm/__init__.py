"""Many engines behind one endpoint: discovery, scheduling, a manager, an agent. All of it is sent to machines."""
