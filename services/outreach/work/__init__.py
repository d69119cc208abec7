"""Work for people: a due step that a person carries out waits in a queue until somebody claims it with its permit."""
