"""The page in a real Chromium, by Playwright: `make browser`."""
