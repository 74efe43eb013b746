"""What is paid for is paid for once, and within its budget."""
