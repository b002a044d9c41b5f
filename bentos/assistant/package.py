"""`python -m bentos.assistant.package --release NAME --version N --folder PATH`: the bento of an assistant version."""

from bentos.kit.packaging import main

if __name__ == "__main__":
    main("bentos.assistant.service:Assistant", "serve-assistant")
