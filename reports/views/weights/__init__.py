"""Attention weights of an implementation beside the reference's: sentences, heat maps, page."""
