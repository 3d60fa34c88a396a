"""How it is measured: the named suites, the instruments and the engine that drives them."""
