"""swarmd: a pipeline of backends that answers Docker clients on this computer. It is not sent to machines."""
