"""Importance methods on anyone's trials."""
