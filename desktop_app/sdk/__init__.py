"""All that a plugin may import besides the toolbox: the contract, without Qt and without torch."""
