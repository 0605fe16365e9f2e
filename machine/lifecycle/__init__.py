"""The life of a machine. The only package that joins drivers, provisioning, certificates, clusters and the store.

create.py         from a command line to a Docker host, and on from wherever an earlier try ended: a list of steps
planning.py       what `create` was asked for, and the record that comes of it; dry_run.py says it in lines
create_steps.py   the steps of `create`, one function for each
driver_record.py  the driver of a recorded machine, and its answers written back
provision.py      everything that happens on the machine over ssh: Docker, certificates, upgrades
power.py          start, stop, kill, restart
remove.py         removal of all that `create` made
waiting.py        waiting for a machine to appear, and logging in
parallel.py       one command on several machines at once
"""
