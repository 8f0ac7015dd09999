"""What can be asked of judgements, models and runs; the answers are small frozen tables.

Arrays or mappings in, tables out: nothing here draws, prints or reads a file.
"""
