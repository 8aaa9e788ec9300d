"""JSON lines, arrays and objects: one reader of records, kernels that find them."""
