"""The instruments, one a file: time, memory, the machine, and what may be concluded."""
