"""Versions of a file: its revisions in a git repository, and the commit that made it slower."""
