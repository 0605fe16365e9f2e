"""docker-machine's own plugins: programs called docker-machine-driver-NAME, talked to as docker-machine does.

Such a program serves one machine over Go's net/rpc: `gob` is the encoding, `rpc` the calls, `program` the process,
`session` all three for one machine, `flags` the plugin's flags as our options, `driver` the driver that it becomes.

The protocol is what github.com/docker/machine has in libmachine/drivers/rpc, libmachine/drivers/plugin and
libmachine/mcnflag; API version 1, unchanged since 2015.
"""
