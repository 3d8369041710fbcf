"""Classification metrics with intervals: metrics take weights of examples, so a bootstrap is a matrix of weights."""
