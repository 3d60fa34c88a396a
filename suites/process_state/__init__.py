"""Process-wide state that an implementation must leave unchanged: read, compared, restored."""
