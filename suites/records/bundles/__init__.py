"""Bundles: a run with its records, machine, plan and implementations' files as one zip file."""
