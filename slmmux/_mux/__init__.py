"""What every mux shares, whatever its framework: options, checks, the flow of one question, and the record.

This is the only private folder that an adapter may import.
"""
