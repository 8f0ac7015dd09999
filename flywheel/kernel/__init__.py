"""From a model to numbers: the flat system, the reference evaluator, machine code."""
