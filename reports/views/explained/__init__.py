"""Explanations of methods in words, tables and pictures."""
