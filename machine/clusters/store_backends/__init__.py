"""Backends of swarmd that know the machine store; machine/cli/swarmd.py adds them to those of machine/swarmd."""
