"""Commands that run in scripts and prompts: they import next to nothing (tests/test_imports.py holds the list)."""
