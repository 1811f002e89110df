"""Pilots of a run: prompts out, answers of small models in, and the grades that move a verdict."""
