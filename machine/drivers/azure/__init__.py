"""Driver azure: virtual machines of Azure, or of a cloud that speaks its Resource Manager API (ARM).

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      settings.py  their values, checked, as the stored Driver object
survey.py    the read-only look before a create: login, size, image, network, names, quota
shared.py    what machines share: made once, removed with the last of them
bodies.py    the bodies of all PUT requests, pure     firewall.py  ports and rules, pure
login.py     which credential is used       api.py       one function per call to the SDK
failures.py  one class per way to fail, and the table from ARM's codes to them
"""
