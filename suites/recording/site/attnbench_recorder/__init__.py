"""Records the attention calls of a process. It imports nothing else of attnbench.

A recorded script may have modules of its own that are named `impls` or `suites`.
"""
