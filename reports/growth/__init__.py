"""How time and memory grow with the length: exponents, models that predict, exact bytes."""
