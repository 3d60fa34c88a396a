"""Attention that a group of processes computes: its processes, their calls, and what each did."""
