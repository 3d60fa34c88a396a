"""Foretold savings of a workload, proven by putting each substitution into its script."""
