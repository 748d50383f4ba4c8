"""The commands of the language, a file per idea. Importing a module here registers its commands."""
