"""The engine: plans, fresh processes, limits, and the store of what they found."""
