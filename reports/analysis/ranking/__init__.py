"""Which implementation is fastest where, and where that changes."""
