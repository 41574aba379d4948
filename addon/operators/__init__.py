"""What the panels' buttons do, one module for each group of buttons."""
