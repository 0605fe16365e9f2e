"""Several engines as one: containers live on one of them; images, networks and volumes belong to all.

No state is kept but where a container was last seen: every answer is asked for when it is wanted. For discovery,
strategies, filters and thousands of containers there is the backend `swarm`.
"""
