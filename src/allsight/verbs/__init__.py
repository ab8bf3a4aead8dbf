"""The whole way of each verb, from arguments to records and files. The command line and the Python API call these."""
