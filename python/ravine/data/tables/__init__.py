"""Tables: CSV, TSV and Parquet files, data frames and columns in Python.

settings -> opening, delimited -> columns -> table -> roles -> encoder -> source, each knowing those before;
inspection tells what is in a file.
"""
