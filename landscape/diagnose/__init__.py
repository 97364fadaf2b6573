"""What SGD did, with the evidence: distances, diffusion, symmetry, curvature, interventions, verdict."""
