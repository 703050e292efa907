//! Requests over HTTP that can be interrupted, and their answers as errors of a remote.
