"""The profile of one call: torch's events as a call tree with source lines, work and memory."""
