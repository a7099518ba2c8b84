"""Plots as PNG, SVG, PDF, CSV, and as a Matplotlib script."""
