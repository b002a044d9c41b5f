"""`python -m bentos.creative.package --release NAME --version N --folder PATH`: the bento of a creative version."""

from bentos.kit.packaging import main

if __name__ == "__main__":
    main("bentos.creative.service:Creative", "serve-creative")
