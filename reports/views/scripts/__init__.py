"""Words of the terminal, the page and the image of a recorded script."""
