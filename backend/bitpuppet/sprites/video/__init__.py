"""Video files in and out: PyAV (FFmpeg's libraries), which is loaded when a video is opened and not before."""
