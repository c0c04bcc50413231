"""What people read of a run: contact sheets and plots beside its pictures."""
