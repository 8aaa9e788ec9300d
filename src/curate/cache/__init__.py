"""What is built once and kept between processes: compiled kernels and derived tables."""
