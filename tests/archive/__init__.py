"""Tests of machine.archive."""
