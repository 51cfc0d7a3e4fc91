"""How much of what is wrong a validator catches: mutations made from the published definitions alone."""
