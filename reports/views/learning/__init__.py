"""Results of learning, in words, tables and charts."""
