"""The rules of templates: rendering, folding, phrases, denials and the linter. Standard library only."""
