"""Credit control: what a payer may owe, what its insurer wants to know and when. Pure; nothing here reads a table.

The rule it protects: an exposure is compared with a limit of its own currency only, and a deadline is a date that
anybody can count again from the due date and the terms of the policy.
"""
