"""The backends that swarmd puts into its pipeline; registry.py knows them by name."""
