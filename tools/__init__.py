"""Programs for the project's own files: `make` names them."""
