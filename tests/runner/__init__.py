"""Runs all stages of the tests, says where the time went, and reports what failed (`scripts/test`, `make check`)."""
