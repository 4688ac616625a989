"""Sending each e-mail once: claim, connect, RCPT accepted, permit, commit `on_wire`, DATA, body, outcome.

loop        claims, renews and expires; keeps the lanes busy
lane        one connection, one mail after another
freezing    the bytes of a delivery, made once
asking      the permit: our own look and the three services', for up to 100 deliveries at a time
logbook     how far each lane has come, for whoever comes after a process that was killed
recording   on the wire, and what became of it, many at a time
"""
