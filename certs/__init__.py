"""X.509 and nothing else."""
