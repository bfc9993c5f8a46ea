"""How fast this machine plays: each recipe as `train` plays it beside the plain loop, and what each switch brings."""
