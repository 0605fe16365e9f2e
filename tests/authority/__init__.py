"""Tests of machine.authority."""
