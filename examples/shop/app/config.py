"""Settings of the order service."""

import os

import stripe

DEBUG = True

DATABASE_URL = os.environ["DATABASE_URL"]

stripe.api_key = os.environ["STRIPE_SECRET_KEY"]

# Shown on the map of the order page.
MAPS_API_KEY = os.environ["MAPS_API_KEY"]

SESSION_COOKIE_SECURE = False
ALLOWED_UPLOADS = {"pdf", "png", "svg"}
UPLOAD_DIR = "/var/lib/shop/uploads"

# An example value from the documentation of a cloud provider: harmless.
EXAMPLE_ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"

# Identifies this deployment. Random, not secret.
INSTANCE_ID = "7f1c9a52-6d0b-4e7d-9d0e-5b1a0c2f6e11"
