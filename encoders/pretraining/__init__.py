"""Small encoders for frozen use: text -> vocabulary, words' vectors -> a BERT that knows them in context.

`encoders/slavic-mini` was made by an earlier version (its README says which); docs/encoder.md compares the two.

`python -m encoders.pretraining --help`. Not installed with the package.
"""
