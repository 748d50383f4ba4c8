"""What the demo needs around the shop: a Sightline of its own, what a person would set up in it, and a webhook."""
