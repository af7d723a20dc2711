"""dx2ct serve: the API, and in browser/ the page."""
