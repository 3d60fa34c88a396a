"""Measurements where the truth is known: the self-test and the study of methods."""
