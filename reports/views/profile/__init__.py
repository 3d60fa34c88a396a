"""Sections of the page of a profile, a module each."""
