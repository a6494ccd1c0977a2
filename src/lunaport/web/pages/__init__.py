"""One module a page; `register` tells NiceGUI of it."""
