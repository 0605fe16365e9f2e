"""Driver hetzner: servers of Hetzner Cloud.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: type and price, location, image, key, what exists
requests.py  the values of what is made, pure    removal.py  what goes with the machine
client.py    the calls                      transport.py hcloud's connection, made to measure
errors.py    what its answers mean, and what to do about each kind of error
"""
