"""Where data comes from: bytes to rows, each row with its origin, each file with its digest, bad rows set aside."""
