"""The story of a machine. The only package that joins drivers, provisioning, certificates and the store.

create.py      from a command line to a Docker host, and on from wherever an earlier try ended
provision.py   everything that happens on the machine over ssh: Docker, certificates, upgrades
power.py       start, stop, kill, restart
remove.py      away with it, whatever is left of it
access.py      waiting for a machine to appear, and logging in
session.py       what all of these need: the store, the console, the clock, drivers with their context
many.py        the same for several machines at once
"""
