"""How invoices are told: one canonical contract, and a reader per format that ends in it."""
