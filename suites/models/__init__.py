"""Models of published architectures in small sizes, whose attention an implementation answers."""
