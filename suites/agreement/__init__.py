"""Right before fast: whether an implementation computes what was asked, with the evidence."""
