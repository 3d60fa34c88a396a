"""The limits of a plain function, found by trying small problems."""
