"""A run for its readers: in the terminal, as a page, as PNG files, in formats for programs."""
