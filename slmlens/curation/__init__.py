"""S2: redact, pseudonymise, count what was redacted, and mark which calls a person reads."""
