"""What is known of a run: its plan, its records, and the store that keeps them."""
