"""What models learnt, in words, tables and charts."""
