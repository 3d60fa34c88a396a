"""Whether an implementation computes what was asked for, with the evidence."""
