"""What differs between two files: numbers of weights, and everything else."""
