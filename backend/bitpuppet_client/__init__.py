"""Wire format and client, numpy and pyzmq only; filled by the service."""
