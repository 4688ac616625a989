"""What invoice_ingest asks of its schema, one function a question; every join carries the tenant."""
