"""A believable French company for the demo: who it is, whom it sells to, how they pay, and sixty days of its life.

Everything is drawn from one seed, so two demos of one day tell the same story. All names are invented.
"""
