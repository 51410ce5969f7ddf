"""Labels for PhotoPrism, which asks a vision service for each new photo (`vision.yml`)."""
