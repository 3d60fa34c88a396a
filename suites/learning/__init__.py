"""Small models that are trained with an implementation inside, and the gate on their losses."""
