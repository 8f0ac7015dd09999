"""What to pull: effects, when they come, who misjudges them, and how they combine."""
