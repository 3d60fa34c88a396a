"""Process state that an implementation must leave unchanged: read, compared and restored."""
