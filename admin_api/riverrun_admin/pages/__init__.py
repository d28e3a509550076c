"""The pages for people: rendered here, readable without JavaScript, one file a subject."""
