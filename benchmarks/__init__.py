"""Speed, measured as ratios within one run on the same embedded servers: `make bench`."""
