"""Driver openstack: servers of an OpenStack cloud (Nova, Neutron, Glance, Cinder), ConoHa's among them.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      settings.py  their values, checked, as the stored Driver object
survey.py    the read-only look before a create: login, flavor, image, network, groups, quota
conoha.py    what is different at ConoHa, pure     request.py  the bodies of what is made, pure
firewall.py  rules of security groups, pure  removal.py  what goes with the machine
reach.py     its addresses, and who keeps a login out
api.py       one function per call          login.py     which credential is used, and the way to Identity v3
wire.py      the SDK's connection, made to measure
failures.py  one class per way to fail, and the table from OpenStack's answers to them
"""
