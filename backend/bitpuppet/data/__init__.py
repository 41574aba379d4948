"""Datasets: layered characters (LPC), the Sprites benchmark, procedural puppets, and the mixture that trains sprite64."""
