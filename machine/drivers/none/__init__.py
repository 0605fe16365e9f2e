"""An engine that somebody else looks after, known by its URL."""
