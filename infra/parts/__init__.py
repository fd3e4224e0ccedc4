"""The parts store on files."""
