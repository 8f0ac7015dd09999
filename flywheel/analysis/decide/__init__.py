"""What to do with it: where to spend, what to fear, and what to find out first."""
