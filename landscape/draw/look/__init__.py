"""How figures look: themes, styles, scales."""
