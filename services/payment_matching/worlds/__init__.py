"""Made-up worlds to measure the matcher on: ledgers, payments and their truth.

Protects: nothing here imports the matcher, and nothing there imports this: what a world contains is set by knobs that
the matcher does not know. Names, accounts and texts are drawn from a seed; the same seed makes the same world.
"""
