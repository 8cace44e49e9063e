"""The server: protocols over one loaded model, without a line of training code."""
