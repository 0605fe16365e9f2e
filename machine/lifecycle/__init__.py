"""The life of a machine. The only package that joins drivers, provisioning, certificates, clusters and the store.

create.py         from a command line to a Docker host, and on from wherever an earlier try ended: a list of steps
create_steps.py   the steps of `create`, one function for each
draft.py          what `create` was asked for, and the record and the driver of it in memory; dry_run.py prints it
existing.py       errors and hints about a machine that is there already, or is incomplete
host_conflict.py  whether a host is a machine of the store already
account.py        whether the account of a cloud that is asked is the one that the machine was made in
driver_record.py  the driver of a recorded machine, and its answers written back
ssh_keys.py       the keys of a machine: the user's own checked and copied, others made
waiting.py        waiting for a machine to appear, and logging in
disk_growth.py    whether the file system of a new machine has grown to its disk
provision.py      everything that happens on the machine over ssh: Docker, certificates, upgrades
certificates.py   the store's CA, and what follows from new client certificates
power.py          start, stop, kill, restart
forwarder.py      the forwarder of a machine, started again
remove.py         removal of all that `create` made
parallel.py       one command on several machines at once
preload.py        modules imported in a thread while a machine is waited for
"""
