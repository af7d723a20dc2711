"""The ranking as a product: fixed phantoms, anybody's volumes, and this project's scores beside them."""
