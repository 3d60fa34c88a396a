"""Records of a stored run as typed rows: figures and states, no text."""
