"""How requests and events look on the wire. A *door* is a `Speaker` and a `Dialect`.

Who speaks how is told by the first bytes: see `recognition`.
"""
