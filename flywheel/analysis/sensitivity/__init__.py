"""How much of an outcome's spread each uncertain number explains, and where."""
