"""The tests: they mirror the folders of the program; saved_run.py is a run they read."""
