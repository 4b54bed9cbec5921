"""What a model can do and where it fails: metrics, pictures, tables, reports, cross-validation."""
