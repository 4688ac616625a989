"""Bank statements: what the bank told (told), how it is written (camt), and how it is read safely (reading)."""
