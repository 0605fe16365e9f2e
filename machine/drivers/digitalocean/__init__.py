"""Driver digitalocean: droplets of DigitalOcean.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      settings.py  their values, checked, as the stored Driver object
survey.py    the read-only look before a create: token, region, size, image, key, network, quota
request.py   the bodies of what is made, pure     removal.py  what goes with the machine
api.py       one function per call          wire.py      libcloud's connection, made to measure
failures.py  one class per way to fail, and the table from DigitalOcean's answers to them
"""
