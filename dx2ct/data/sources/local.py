"""One's own CTs: files and folders where they lie, as `dx2ct cohort` finds them."""

from dx2ct.data.sources import Source

SOURCE = Source("local", "one's own CTs", ("path", "split"))
