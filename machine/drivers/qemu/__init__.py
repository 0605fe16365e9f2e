"""Driver qemu: real virtual machines on this host, with no account and without root.

driver.py   decisions: what to make, in which order, what each state means
options.py  the flags                      config.py    their values, checked
preflight.py  checks before a create       accel.py     KVM, HVF or software
argv.py     the qemu command line, pure     vm.py        the acts on one virtual machine
net.py      addresses, ports and MACs       forwarder.py the process that opens published ports here
qmp.py      the protocol client             process.py   finding and ending the right qemu
paths.py    every file name, spelled once

Base images and the NoCloud disk are machine.drivers.images, which other drivers use as well.
"""
