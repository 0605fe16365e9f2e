"""Driver openstack: servers of an OpenStack cloud (Nova, Neutron, Glance, Cinder), ConoHa's among them.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: login, flavor, image, network, groups, quota
conoha.py    what is different at ConoHa, pure     requests.py the bodies of what is made, pure
firewall.py  rules of security groups, pure  removal.py  what goes with the machine
addresses.py its addresses, and who keeps a login out       states.py what its status means, pure
lookup.py    which thing a name means       quotas.py    whether the project's limits leave room
client.py    the calls                      login.py     which credential is used, and the way to Identity v3
transport.py the SDK's connection, with our retries
errors.py    what its answers mean, and what to do about each kind of error
"""
