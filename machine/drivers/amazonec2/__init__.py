"""Driver amazonec2: instances of Amazon EC2, or of a cloud that speaks its API.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      config.py    their values, checked, as the stored Driver object
preflight.py the read-only look before a create: region, size, image, network, quota
images.py    which image is meant, pure     requests.py  the body of RunInstances, pure
firewall.py  its rules, pure              client.py    one function per call to boto3
groups.py    the look at security groups
errors.py    what its answers mean, and what to do about each kind of error
"""
