"""Recurrent neural image compression: the thin package behind the study's notebooks."""
