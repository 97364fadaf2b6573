"""The page to turn in a browser and the window."""
