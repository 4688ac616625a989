"""Key figures of receivables, purely: how well money is collected, what lateness costs, what reminders do.

The rule it protects: every figure says what it was counted from, currencies are never added up, and what cannot be
counted is None, not zero.
"""
