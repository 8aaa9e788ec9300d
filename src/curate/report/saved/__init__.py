"""What curation saves: modelled, measured, and where the tokens went."""
