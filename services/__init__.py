"""The five services of Fairdue; `flow.py` shows how they talk."""
