"""Driver amazonec2: instances of Amazon EC2, or of a cloud that speaks its API.

driver.py    decisions: what to ask for, in which order, what each state means
options.py   the flags                      settings.py  their values, checked, as the stored Driver object
survey.py    the read-only look before a create: region, size, image, network, quota
images.py    which image is meant, pure     launch.py    the body of RunInstances, pure
firewall.py  ports and rules, pure          api.py       one function per call to boto3
failures.py  one class per way to fail, and the table from EC2's codes to them
"""
