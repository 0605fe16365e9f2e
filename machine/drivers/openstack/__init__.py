"""Driver openstack: servers of an OpenStack cloud (Nova, Neutron, Glance, Cinder), ConoHa's among them.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: login, flavor, image, network, groups, quota
conoha.py    what is different at ConoHa, pure     requests.py the bodies of what is made, pure
firewall.py  rules of security groups, pure  removal.py  what goes with the machine
addresses.py its addresses, and who keeps a login out
client.py    one function per call          login.py     which credential is used, and the way to Identity v3
transport.py the SDK's connection, made to measure
errors.py    what its answers mean, and what to do about each kind of error
"""
