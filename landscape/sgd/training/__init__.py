"""SGD itself: a step at a time, from settings and a state."""
