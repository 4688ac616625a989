"""Credit control, purely."""
