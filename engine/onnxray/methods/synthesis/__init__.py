"""Pictures made by climbing an objective."""
