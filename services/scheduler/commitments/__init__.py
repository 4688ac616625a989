"""Promises, plans and disputes, purely: what they pause, when they are kept or broken, and what ends them.

The rule they protect: money counts by its value date, a pause covers its scope and amount and nothing else, and each of
them ends once.
"""
