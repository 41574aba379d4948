"""Datasets: layered characters (LPC), the Sprites benchmark, puppets, and the mixture that trains sprite64."""
