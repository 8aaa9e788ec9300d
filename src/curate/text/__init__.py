"""Pure kernels over UTF-8 buffers: typed, no I/O, what a paper could cite."""
