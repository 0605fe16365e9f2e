"""Driver azure: virtual machines of Azure, or of a cloud that speaks its Resource Manager API (ARM).

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: login, size, image, network, names, quota
shared.py    what machines share: made once, removed with the last of them
requests.py  the bodies of all PUT requests, pure     firewall.py  ports and rules, pure
resources.py kinds of resources and what is said of them, pure
client.py    the calls                      sdk.py       the SDK's clients, their login, their errors as ours
login.py     which credential is used       device_code.py a person who logs in by a code
errors.py    what its answers mean, and what to do about each kind of error
"""
