"""The emulated boards: starting them, speaking with them, reading their pins from outside."""
