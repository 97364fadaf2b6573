"""How the weights move: distances, diffusion, and the name of the movement."""
