"""The examples of each task, one module a task."""
