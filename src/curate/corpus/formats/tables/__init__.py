"""Rows of tables: Parquet, Arrow IPC, CSV."""
