"""A machine with an NVIDIA device, for tests: real values, computed on the CPU.

`device` holds the tensors, `runtime` what torch.cuda offers, `machine` a child process that has it.
"""
