"""Recovery files, purely: what goes into one, whether it is worth a court, and where it may go from where it is.

The rule it protects: a file says everything that it holds with its hash, and the same facts make the same bytes.
"""
