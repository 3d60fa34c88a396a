"""Implementations inside other people's programs."""
