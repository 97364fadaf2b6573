"""From evidence to names, sentences and caveats."""
