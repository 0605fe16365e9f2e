"""One package a platform, the contract of all of them (base.py), and which ones there are (registry.py)."""
