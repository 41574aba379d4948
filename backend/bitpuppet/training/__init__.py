"""Training: the objective, the recipe, checkpoints and the loop."""
