"""Whether an implementation agrees with its reference, with the evidence."""
