"""Publishing: strategies that staff propose and a second person approves, told to every lane."""
