"""A call of the Docker API taken apart: its target, the booleans of its query, its JSON body. Pure."""
