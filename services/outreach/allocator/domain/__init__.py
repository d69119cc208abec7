"""The rules of whatever is allotted by the day: a lender's book, and how long a request waits."""
