"""One file for each format of a store."""
