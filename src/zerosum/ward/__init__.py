"""The ward: runs made sick by a cause, and what cures them; the doctor's exam, and a collection to learn from."""
