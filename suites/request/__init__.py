"""Requests: named suites, axes, options, and the plan made from them."""
