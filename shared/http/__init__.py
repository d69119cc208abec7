"""HTTP for every service: who may call, how errors look, how lists are paged, and how writes become commands."""
