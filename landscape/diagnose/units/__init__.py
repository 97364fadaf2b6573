"""What a network's units and outputs still do."""
