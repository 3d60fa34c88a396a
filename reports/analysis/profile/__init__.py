"""Analysis of profiles: operators, differences, memory at the peak, set-up, growth."""
