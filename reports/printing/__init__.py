"""What a terminal or another program is told: tables, progress and JSON."""
