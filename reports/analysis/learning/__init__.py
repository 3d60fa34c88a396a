"""What models learnt: rows by task, and the verdict of the gate."""
