"""allsight reads blood smears: train, evaluate, explain and serve classifiers for acute lymphoblastic leukemia.

The verbs of the command line are functions in `allsight.api`. Research use only.
"""
