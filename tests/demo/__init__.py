"""The demo is believable and true: checked on a demo that runs (`make demo`, then `make demo-check`)."""
