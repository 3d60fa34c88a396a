"""Markdown for pull requests and steps of continuous integration."""
