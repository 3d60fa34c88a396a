"""Suites by application: the published shapes of models."""
