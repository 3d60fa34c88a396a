"""Reference values in float64 and rounding bounds: derived for attention, by trial for others."""
