"""Charts: what is drawn, how each implementation looks, and the PNG files."""
