"""What this host was measured to do, and what is chosen from it. Imports nothing heavy."""
