"""Driver hetzner: servers of Hetzner Cloud.

driver.py    decisions: what to ask for, in which order, what each state means, what goes with the machine
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: type and price, location, image, key, what exists
requests.py  the bodies of what is made, pure    client.py    the calls
errors.py    what Hetzner's answers mean, and what to do about each kind of error
"""
