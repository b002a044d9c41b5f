"""`python -m bentos.tabular.package --release NAME --version N --folder PATH`: the bento of a tabular version."""

from bentos.kit.packaging import main

if __name__ == "__main__":
    main("bentos.tabular.service:Tabular", "serve-tabular")
