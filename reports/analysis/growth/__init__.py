"""How time and memory grow with the sequence length."""
