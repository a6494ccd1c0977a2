"""The product's values and their validation: pure, without I/O, clocks or libraries."""
