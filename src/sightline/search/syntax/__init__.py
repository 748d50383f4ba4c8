"""Text to structure: source text with macros, tokens, expressions, search predicates, pipelines, and printing back."""
