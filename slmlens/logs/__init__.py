"""S1: exported logs become calls and distinct messages. Start with :mod:`slmlens.logs.read`."""
