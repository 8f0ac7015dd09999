"""Which feedback loops drive the behaviour, and which of them decide an outcome."""
