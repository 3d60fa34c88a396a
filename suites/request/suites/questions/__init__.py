"""Suites by question: one axis each."""
