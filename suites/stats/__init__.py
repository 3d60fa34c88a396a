"""Statistics of ratios, without torch: intervals, verdicts, pairing by session, ceilings."""
