"""machine: any cloud, hypervisor or ssh host becomes a Docker host behind TLS.

Nothing is imported here: the commands that only read a record must start in a few milliseconds
(tests/test_imports.py holds the list of modules that each command may not load).
"""

__version__ = "1.0.0.dev0"
