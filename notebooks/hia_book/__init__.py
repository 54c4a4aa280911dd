"""What the pages of the book need that wants a test."""
