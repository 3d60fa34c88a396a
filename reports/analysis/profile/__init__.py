"""What profiles mean: operators, differences, memory at the peak, set-up, growth."""
