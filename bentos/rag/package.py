"""`python -m bentos.rag.package --release NAME --version N --folder PATH`: the bento of a documents version."""

from bentos.kit.packaging import main

if __name__ == "__main__":
    main("bentos.rag.service:Rag", "serve-rag")
