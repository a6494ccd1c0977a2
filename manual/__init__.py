"""The parts of the manual that the program knows best: its references, written from the program itself."""
