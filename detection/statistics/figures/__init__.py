"""The numbers of the history as figures for people: which plot shows what, in the words of the page."""
