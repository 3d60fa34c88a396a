"""Several processes that measure one problem in the same rounds: one leads, the others follow."""
