"""Instruments, one a file: inputs, clocks, samples, memory, ceilings, the state of the machine."""
