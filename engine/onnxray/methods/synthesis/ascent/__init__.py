"""The one loop that climbs, and its parts."""
