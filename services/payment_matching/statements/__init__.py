"""Bank statements: what the bank told (told), its formats (formats: camt, swift, cfonb, coda, ofx, bai2, table), and
how a file is read safely (reading).
"""
