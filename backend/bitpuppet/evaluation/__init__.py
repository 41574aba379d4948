"""What the model can do, in figures: swaps with true targets, a judge, reports."""
