"""The selftest of a GPU machine: one file for each step, each run in a process of its own."""
