"""How `encoders/slavic-mini` was made: text -> vocabulary -> co-occurrence embeddings -> masked language model.

`python -m encoders.pretraining --help`. Not installed with the package.
"""
