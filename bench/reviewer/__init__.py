"""A perfect reviewer at the review page: counts the keys and mouse actions that annotated photos take."""
