"""What is only shown by doing it often: processes that are killed, and thousands of calls with faults."""
