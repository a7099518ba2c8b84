"""Pictures: folders and archives of PNG and JPEG files, decoded once into a cache on disk."""
