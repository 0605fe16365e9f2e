"""Driver qemu: real virtual machines on this host, with no account and without root.

driver.py   decisions: what to make, in which order, what each state means
options.py  the flags                      settings.py  their values, checked
accel.py    KVM, HVF or software            argv.py      the qemu command line, pure
image.py    names, the cache, its manifests fetch.py     download with checksum
build.py    an image from Debian's mirror   recipe.py    what goes into it, pure
seed.py     the NoCloud disk                guest.py     what runs inside the machine
net.py      addresses, ports and MACs       forward.py   the watcher that follows published ports
qmp.py      the protocol client             process.py   finding and ending the right qemu
places.py   every file name, spelled once
"""
