"""Finding out by trial which limits a plain function has."""
