"""What a user can ask for: named suites, axes, options, and the plan made from them."""
