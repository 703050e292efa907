//! Frames, in order and on all threads.
