"""Late-payment charges, purely: rates, the regimes of countries and contracts, interest day by day, lump sums, proof.

The rule it protects: what is claimed can be recomputed by a judge with a pocket calculator. Percentages are decimals,
sums are exact fractions, and each debt is rounded once, at the end. A rate that is not published is never guessed.
"""
