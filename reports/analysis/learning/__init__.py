"""Results of learning: rows by task, and the verdict of the gate."""
