"""The vocabulary every room speaks: records, contracts, errors, the catalog, provenance. Imports no other room."""
