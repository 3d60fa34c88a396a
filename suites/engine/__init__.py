"""The engine: fresh processes, their limits, and a run from its plan to its last record."""
