"""The costs and limits of the functions and of the client, beside those of the alternatives (`make bench`)."""
