"""Many engines' answers as one: lists united, numbers added up, each thing under the name that clients see. Pure."""
