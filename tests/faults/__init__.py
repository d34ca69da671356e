"""Faulty servers: what each fault costs, and that it costs nothing else."""
